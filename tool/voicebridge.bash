# bash completion for voicebridge(1): commands from its help, options from
# that of each command

_voicebridge()
{
    local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
    local prev=${COMP_WORDS[COMP_CWORD-1]}

    COMPREPLY=()

    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --help 2>/dev/null \
            | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p') --help --version" \
            -- "$cur"))
        return
    fi

    case $prev in
    --follow)
        COMPREPLY=($(compgen -W 'calls twilio none' -- "$cur"))
        return
        ;;
    *-file|--config|--cacert|--journal|--do-not-call|--play|--record)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    esac

    case $cur in
    -*)
        COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "$command" --help \
            2>/dev/null | sed -n 's/^  \(-[a-zA-Z], \)\{0,1\}\(--[a-z0-9-]*\).*/\2/p')" \
            -- "$cur"))
        ;;
    *)
        [ "$command" != bulk ] || COMPREPLY=($(compgen -f -- "$cur"))
        ;;
    esac
}

complete -o filenames -F _voicebridge voicebridge
