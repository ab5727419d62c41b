# fish completion for mcp-cli(1)
function __mcp_cli_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null | string trim --right
end
complete -c mcp-cli -a '(__mcp_cli_complete)'
