# bash completion for longhaul(8)

# Names of configurations; of a directory that only root may read, ordinary users get none.
_longhaul_configs() {
    local path
    for path in /etc/longhaul/*.conf /etc/wireguard/*.conf; do
        [[ -e $path ]] && path=${path##*/} && printf '%s\n' "${path%.conf}"
    done
}

# Interfaces with a daemon.
_longhaul_running() {
    local path
    for path in /run/longhaul/*.sock /var/run/wireguard/*.sock; do
        [[ -S $path ]] && path=${path##*/} && printf '%s\n' "${path%.sock}"
    done
}

# Names of peers, from the comments in configurations. A name with a space stays one word.
_longhaul_peers() {
    sed -n 's/^[[:space:]]*#[[:space:]]*friendly_name[[:space:]]*=[[:space:]]*//p' \
        /etc/longhaul/*.conf /etc/wireguard/*.conf 2>/dev/null
}

# Candidates, one a line on stdin, that begin with the word being completed.
_longhaul_offer() {
    local candidate
    while IFS= read -r candidate; do
        [[ $candidate == "$1"* ]] && COMPREPLY+=("$(printf '%q' "$candidate")")
    done
}

_longhaul_files() {
    local path
    while IFS= read -r path; do
        if [[ -d $path ]]; then COMPREPLY+=("$path/"); elif [[ $path == *.conf ]]; then COMPREPLY+=("$path"); fi
    done < <(compgen -f -- "$1")
    compopt -o filenames -o nospace 2>/dev/null
}

_longhaul_words() { printf '%s\n' $1; }

_longhaul() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} subcommand=${COMP_WORDS[1]}
    COMPREPLY=()
    # What follows an option that takes a word.
    case $before in
        --aead) _longhaul_offer "$word" < <(_longhaul_words 'auto ipsec-mb openssl native'); return ;;
        --log-level) _longhaul_offer "$word" < <(_longhaul_words 'verbose debug info error silent'); return ;;
        --metrics) _longhaul_offer "$word" < <(_longhaul_words 'off'); return ;;
        --seconds | --streams | --port | --interval | --wait) return ;;
        --interface) _longhaul_offer "$word" < <(_longhaul_running | sort -u); return ;;
    esac
    if ((COMP_CWORD == 1)); then
        _longhaul_offer "$word" < <(
            [[ $word == -* ]] && _longhaul_words '-f --foreground --aead --log-level --metrics --version --help' && exit
            _longhaul_words 'up reload down run save strip show why bench genkey genpsk pubkey'
        )
        return
    fi
    local options=--help
    case $subcommand in
        up) options='-n --dry-run --json --aead --log-level --metrics --help' ;;
        reload | down | save) options='-n --dry-run --json --help' ;;
        run) options='--aead --log-level --metrics --help' ;;
        show) options='--json --watch --interval --help' ;;
        why) options='--json --wait --help' ;;
        bench) options='--serve --underlay --json --interface --seconds --streams --port --help' ;;
        -*) options='-f --foreground --aead --log-level --metrics' ;;
    esac
    if [[ $word == -* ]]; then
        _longhaul_offer "$word" < <(_longhaul_words "$options")
        return
    fi
    case $subcommand in
        up | run | strip)
            if [[ $word == */* ]]; then _longhaul_files "$word"; else _longhaul_offer "$word" < <(_longhaul_configs | sort -u); fi ;;
        reload | down | save) _longhaul_offer "$word" < <(_longhaul_running | sort -u) ;;
        show) _longhaul_offer "$word" < <({ _longhaul_running; _longhaul_words 'all interfaces'; } | sort -u) ;;
        why) _longhaul_offer "$word" < <({ _longhaul_running; _longhaul_peers; _longhaul_words all; } | sort -u) ;;
    esac
}

complete -F _longhaul longhaul
