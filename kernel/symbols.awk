# Turns `nm -n` of the image into an assembly file: a table of functions, sorted by address, for the panic's backtrace.
# Without input it makes the empty table that the image is first linked with.
$3 == "image_start" { start = $1 }
$2 ~ /^[Tt]$/ && $3 != "image_start" && $3 != "text_end" && $1 >= start && start != "" {
    if ($1 != last) { address[count] = $1; name[count] = $3; count++; last = $1 }
}
END {
    print "    .section .symbols, \"a\"\n    .balign 8\n    .globl symbol_count, symbol_table, symbol_names"
    print "    .hidden symbol_count, symbol_table, symbol_names"
    printf "symbol_count: .long %d\n    .balign 8\nsymbol_table:\n", count
    offset = 0
    # Addresses differ in their low 32 bits only; mawk has no big integers, so the assembler subtracts.
    for (i = 0; i < count; i++) { printf "    .long 0x%s - 0x%s, %d\n", address[i], start, offset; offset += length(name[i]) + 1 }
    print "symbol_names:"
    for (i = 0; i < count; i++) printf "    .asciz \"%s\"\n", name[i]
    print "    .section .note.GNU-stack, \"\", @progbits"
}
