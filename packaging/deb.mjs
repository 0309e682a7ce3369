// `npm run package`: dist-packages/longhaul_VERSION_ARCH.deb, for this machine's architecture and those it has a compiler for. The
// same commit gives the same bytes: times are those of SOURCE_DATE_EPOCH, owners are root, modes are set here.

import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { copyrightText } from "./copyright.mjs";
import { writePages } from "./man.mjs";
import { buildPrebuilds } from "./prebuilds.mjs";
import * as program from "./program.mjs";

const { manifest, project } = program;
const debian = join(project, "packaging/deb");
const debianNameOf = { x64: "amd64", arm64: "arm64" };

/** What goes where, besides the program: from the project, into the package. */
function copiedFiles() {
  const all = [
    ["packaging/completions/longhaul.bash", "usr/share/bash-completion/completions/longhaul"],
    ["packaging/completions/_longhaul", "usr/share/zsh/vendor-completions/_longhaul"],
    ["packaging/completions/longhaul.fish", "usr/share/fish/vendor_completions.d/longhaul.fish"],
    ["README.md", "usr/share/doc/longhaul/README.md"],
    ["packaging/deb/lintian-overrides", "usr/share/lintian/overrides/longhaul"],
  ];
  for (const name of fs.readdirSync(join(project, "docs")))
    if (name.endsWith(".md")) all.push([`docs/${name}`, `usr/share/doc/longhaul/${name}`]);
  for (const path of program.filesBelow(join(project, "monitoring")))
    all.push([`monitoring/${path}`, `usr/share/doc/longhaul/examples/monitoring/${path}`]);
  for (const name of fs.readdirSync(join(project, "systemd")))
    all.push([`systemd/${name}`, `usr/lib/systemd/system/${name}`]);
  for (const path of program.filesBelow(join(project, "systemd.d"))) {
    const isDropIn = path.startsWith("longhaul@.service.d/");
    all.push([`systemd.d/${path}`, isDropIn ? `usr/share/doc/longhaul/examples/${path}` : `usr/lib/${path}`]);
  }
  return all;
}

function write(path, content, mode = 0o644) {
  fs.mkdirSync(dirname(path), { recursive: true });
  fs.writeFileSync(path, content, { mode });
}

/** Lays the whole package out. */
function layOut(root, arch, epoch) {
  const lib = join(root, "usr/lib/longhaul");
  program.layOutProgram(lib, [arch]);
  fs.rmSync(join(lib, "LICENSE")); //  part of the copyright file
  const launcher = join(lib, "bin/longhaul");
  // The Node of the package this one depends on, whatever else PATH has.
  write(launcher, fs.readFileSync(launcher, "utf8").replace("env -S node ", "env -S /usr/bin/node "));
  fs.mkdirSync(join(root, "usr/bin"), { recursive: true });
  fs.symlinkSync("../lib/longhaul/bin/longhaul", join(root, "usr/bin/longhaul"));
  for (const [from, to] of copiedFiles()) write(join(root, to), fs.readFileSync(join(project, from)));

  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  const man = join(root, "usr/share/man");
  writePages(man, { version: manifest.version, date });
  for (const page of program.filesBelow(man)) compress(join(man, page));
  const doc = join(root, "usr/share/doc/longhaul");
  const modules = [...program.productionModules(), "node_modules/tun-tap-ts"];
  const copyright = copyrightText(project, lib, modules);
  write(join(doc, "copyright"), copyright);
  write(join(doc, "changelog"), changelogText(epoch));
  compress(join(doc, "changelog"));
}

function compress(path) {
  write(`${path}.gz`, gzipSync(fs.readFileSync(path), { level: 9 }));
  fs.rmSync(path);
}

function changelogText(epoch) {
  const date = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
  const entry = "  * Built from the sources; what changed is in their history.";
  return `longhaul (${manifest.version}) unstable; urgency=medium\n\n${entry}\n\n -- ${manifest.author}  ${date}\n`;
}

/** What the addon needs of C and C++ libraries, by the symbols in it. */
function libraryDependencies(root) {
  const stage = fs.mkdtempSync(join(tmpdir(), "longhaul-shlibs-"));
  try {
    write(join(stage, "debian/control"), "Source: longhaul\n\nPackage: longhaul\nArchitecture: any\n");
    const prebuilds = join(root, "usr/lib/longhaul/node_modules/tun-tap-ts/prebuilds");
    const addon = join(prebuilds, program.filesBelow(prebuilds)[0]);
    const options = { cwd: stage, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] };
    const text = execFileSync("dpkg-shlibdeps", ["-O", `-e${addon}`], options);
    return text.trim().replace("shlibs:Depends=", "");
  } finally {
    fs.rmSync(stage, { recursive: true, force: true });
  }
}

function writeControl(root, arch, libraries) {
  const files = program.filesBelow(root);
  const bytes = files.reduce((sum, path) => sum + Math.ceil(fs.lstatSync(join(root, path)).size / 1024), 0);
  const facts = {
    VERSION: manifest.version,
    ARCHITECTURE: debianNameOf[arch],
    MAINTAINER: manifest.author,
    SIZE: bytes,
    NODE: manifest.engines.node.replace(">=", ""),
    LIBRARIES: libraries,
  };
  const control = fs.readFileSync(join(debian, "control"), "utf8").replace(/@([A-Z]+)@/g, (_, name) => facts[name]);
  write(join(root, "DEBIAN/control"), control);
  const regular = files.filter((path) => !fs.lstatSync(join(root, path)).isSymbolicLink());
  const sums = program.run("md5sum", ...regular.map((path) => join(root, path))).replaceAll(`${root}/`, "");
  write(join(root, "DEBIAN/md5sums"), `${sums}\n`);
  for (const script of ["postinst", "prerm", "postrm"])
    write(join(root, "DEBIAN", script), fs.readFileSync(join(debian, script)), 0o755);
}

/** Modes are what packages have, whatever the umask was here. */
function setModes(root) {
  for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const isProgram = entry.parentPath.endsWith("/DEBIAN") && /^(post|pre)/.test(entry.name);
    if (entry.isSymbolicLink()) continue;
    const isRun = entry.isDirectory() || isProgram || path.endsWith("/usr/lib/longhaul/bin/longhaul");
    fs.chmodSync(path, isRun ? 0o755 : 0o644);
  }
}

/** Ends with what to install, before a minute of building that would come to nothing. */
function requireTools() {
  const packageOf = { lowdown: "lowdown", "dpkg-shlibdeps": "dpkg-dev", "dpkg-deb": "dpkg" };
  const missing = Object.keys(packageOf).filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
  if (missing.length === 0) return;
  const install = missing.map((tool) => packageOf[tool]).join(" ");
  process.stderr.write(`npm run package: no ${missing.join(", ")} here (apt install ${install})\n`);
  process.exit(1);
}

function buildPackage(arch, libraries, epoch) {
  const root = fs.mkdtempSync(join(tmpdir(), "longhaul-deb-"));
  try {
    fs.chmodSync(root, 0o755);
    layOut(root, arch, epoch);
    const needed = libraries ?? libraryDependencies(root);
    writeControl(root, arch, needed);
    setModes(root);
    const to = join(program.packagesDirectory, `longhaul_${manifest.version}_${debianNameOf[arch]}.deb`);
    const options = {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
      stdio: ["ignore", "ignore", "inherit"],
    };
    execFileSync("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", root, to], options);
    process.stdout.write(`${to}\n`);
    return needed;
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

requireTools();
fs.mkdirSync(program.packagesDirectory, { recursive: true });
program.buildProgram();
const epoch = program.sourceDateEpoch();
let libraries;
for (const arch of buildPrebuilds()) libraries = buildPackage(arch, libraries, epoch);
