# bash completion for mcp-cli(1)
_mcp_cli()
{
    local line=${COMP_LINE:0:COMP_POINT} words=() current prefix IFS=$' \t\n'
    read -ra words <<<"$line"
    [[ $line == *[[:blank:]] ]] && words+=("")
    current=${words[${#words[@]}-1]}
    # bash takes what stands behind a colon or an equals sign for a word of its own
    prefix=${current%"${current##*[:=]}"}
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("${word#"$prefix"}")
    done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -gt 0 ]] && compopt -o nospace +o default
}
complete -o default -F _mcp_cli mcp-cli
