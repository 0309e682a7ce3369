// Objects that JavaScript names by index, and the JavaScript memory that each of them borrows.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace tuntap {

template <class T>
class HandleTable {
 public:
  /// @param memory  what the object borrows, kept as Keep does. @return the handle, never given out twice.
  int32_t Add(napi_env env, std::unique_ptr<T> object, size_t place, napi_value memory) {
    rows_.push_back(Row{std::move(object), {}});
    const int32_t handle = int32_t(rows_.size()) - 1;
    Keep(env, handle, place, memory);
    return handle;
  }

  /// @return borrowed, or nullptr for a handle that is closed or was never given out.
  T* Get(int32_t handle) const {
    return handle < 0 || size_t(handle) >= rows_.size() ? nullptr : rows_[size_t(handle)].object.get();
  }

  /// Keeps a JavaScript value alive until Close, or until another takes its place (0 or 1).
  void Keep(napi_env env, int32_t handle, size_t place, napi_value memory) {
    napi_ref& reference = rows_[size_t(handle)].memory[place];
    if (reference != nullptr) napi_delete_reference(env, reference);
    reference = nullptr;
    napi_create_reference(env, memory, 1, &reference);
  }

  void Close(napi_env env, int32_t handle) {
    if (Get(handle) == nullptr) return;
    Row& row = rows_[size_t(handle)];
    row.object.reset();
    for (napi_ref& reference : row.memory) {
      if (reference != nullptr) napi_delete_reference(env, reference);
      reference = nullptr;
    }
  }

 private:
  static constexpr size_t kPlaces = 2;
  struct Row {
    std::unique_ptr<T> object;
    napi_ref memory[kPlaces];
  };
  std::vector<Row> rows_;
};

}  // namespace tuntap
