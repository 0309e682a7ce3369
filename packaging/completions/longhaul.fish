# fish completion for longhaul(8)

function __longhaul_configs
    for path in /etc/longhaul/*.conf /etc/wireguard/*.conf
        string replace -r '.*/(.*)\.conf$' '$1' -- $path
    end
end

function __longhaul_running
    for path in /run/longhaul/*.sock /var/run/wireguard/*.sock
        string replace -r '.*/(.*)\.sock$' '$1' -- $path
    end
end

function __longhaul_peers
    for path in /etc/longhaul/*.conf /etc/wireguard/*.conf
        string match -rg '^\s*#\s*friendly_name\s*=\s*(.*)$' <$path 2>/dev/null
    end
end

complete -c longhaul -f
set -l first 'test (count (commandline -opc)) -eq 1'

complete -c longhaul -n $first -a up -d 'bring an interface up as its file says'
complete -c longhaul -n $first -a reload -d 'apply what has changed in the file'
complete -c longhaul -n $first -a down -d 'take an interface down again'
complete -c longhaul -n $first -a run -d 'what up does, in the foreground'
complete -c longhaul -n $first -a save -d 'write what runs into its file'
complete -c longhaul -n $first -a strip -d 'print what wg setconf takes of a file'
complete -c longhaul -n $first -a show -d 'what runs here and how its peers are'
complete -c longhaul -n $first -a why -d 'why a peer is silent or slow'
complete -c longhaul -n $first -a bench -d 'what the link to a peer can do'
complete -c longhaul -n $first -a genkey -d 'print a new private key'
complete -c longhaul -n $first -a genpsk -d 'print a new preshared key'
complete -c longhaul -n $first -a pubkey -d 'print the public key of a private key'
complete -c longhaul -n $first -s f -l foreground -d 'stay in the foreground'
complete -c longhaul -n $first -l version -d 'print the version'
complete -c longhaul -l help -d 'print the usage'

complete -c longhaul -n '__fish_seen_subcommand_from up run strip' -a '(__longhaul_configs)' -d configuration
complete -c longhaul -n '__fish_seen_subcommand_from up run strip' -a '(__fish_complete_suffix .conf)'
complete -c longhaul -n '__fish_seen_subcommand_from reload down save show why' -a '(__longhaul_running)' -d interface
complete -c longhaul -n '__fish_seen_subcommand_from show' -a 'all interfaces'
complete -c longhaul -n '__fish_seen_subcommand_from why' -a 'all (__longhaul_peers)' -d peer

complete -c longhaul -n '__fish_seen_subcommand_from up reload down save' -s n -l dry-run -d 'print what would be done'
complete -c longhaul -n '__fish_seen_subcommand_from up reload down save show why bench' -l json -d 'print JSON'
complete -c longhaul -n "$first; or __fish_seen_subcommand_from up run" -l aead -x -a 'auto ipsec-mb openssl native'
complete -c longhaul -n "$first; or __fish_seen_subcommand_from up run" -l log-level -x \
    -a 'verbose debug info error silent'
complete -c longhaul -n "$first; or __fish_seen_subcommand_from up run" -l metrics -x -a off
complete -c longhaul -n '__fish_seen_subcommand_from bench' -l serve -d 'be the other end'
complete -c longhaul -n '__fish_seen_subcommand_from bench' -l underlay -d 'TCP outside the tunnel too'
complete -c longhaul -n '__fish_seen_subcommand_from bench' -l interface -x -a '(__longhaul_running)' -d interface
complete -c longhaul -n '__fish_seen_subcommand_from bench' -l seconds -x -d 'length of a load'
complete -c longhaul -n '__fish_seen_subcommand_from bench' -l streams -x -d 'streams beside one'
complete -c longhaul -n '__fish_seen_subcommand_from bench' -l port -x -d 'TCP port'
complete -c longhaul -n '__fish_seen_subcommand_from show' -l watch -d 'again and again'
complete -c longhaul -n '__fish_seen_subcommand_from show' -l interval -x -d seconds
complete -c longhaul -n '__fish_seen_subcommand_from why' -l wait -x -d seconds
