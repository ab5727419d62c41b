# Turns `nm -n` of the image into an assembly file: a table of functions, sorted by address, for the panic's backtrace.
# Without input it makes the empty table that the image is first linked with.
# Addresses are compared as text, hence the empty strings: they all have 16 digits, and mawk has no big integers.
BEGIN { count = 0 }
$3 == "image_start" { start = $1 ""; next }
$3 == "text_end" { next }
$2 ~ /^[Tt]$/ && ($1 "") != last { address[count] = $1 ""; name[count] = $3; count++; last = $1 "" }
END {
    # What runs where it is loaded (boot/entry.S) stands before the image.
    for (first = 0; first < count && address[first] < start; first++);
    print "    .section .symbols, \"a\"\n    .balign 8\n    .globl symbol_count, symbol_table, symbol_names"
    print "    .hidden symbol_count, symbol_table, symbol_names"
    printf "symbol_count: .long %d\n    .balign 8\nsymbol_table:\n", count - first
    offset = 0
    for (i = first; i < count; i++) { printf "    .long 0x%s - 0x%s, %d\n", address[i], start, offset; offset += length(name[i]) + 1 }
    print "symbol_names:"
    for (i = first; i < count; i++) printf "    .asciz \"%s\"\n", name[i]
    print "    .section .note.GNU-stack, \"\", @progbits"
}
