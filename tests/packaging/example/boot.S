/* SPDX-License-Identifier: MIT
 *
 * From PVH's 32-bit entry (QEMU -kernel) to C in long mode, with SSE on: the libraries compute with doubles.
 * The first GiB is mapped where it is, writable and executable: an example, not a model of protection.
 */

#define CR0_PE         (1 << 0)
#define CR0_MP         (1 << 1)
#define CR0_NE         (1 << 5)
#define CR0_PG         (1 << 31)
#define CR4_PAE        (1 << 5)
#define CR4_OSFXSR     (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define MSR_EFER       0xc0000080
#define EFER_LME       (1 << 8)

#define PAGE_PRESENT_WRITE 0x3
#define PAGE_LARGE         0x80

#define STACK_SIZE (64 * 1024)

/* Xen public/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY = 18 */
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long start

    .text
    .code32
    .globl start
start:
    cli
    cld
    movl $(pdpt + PAGE_PRESENT_WRITE), pml4
    movl $(pd + PAGE_PRESENT_WRITE), pdpt
    movl $pd, %ecx
    movl $(PAGE_PRESENT_WRITE | PAGE_LARGE), %eax
1:  movl %eax, (%ecx)
    addl $8, %ecx
    addl $0x200000, %eax
    cmpl $(pd + 4096), %ecx
    jne 1b

    /* Intel SDM volume 3, 9.8.5: PAE, CR3, EFER.LME, then paging. 13.1.3: SSE needs CR4.OSFXSR, and CR0.EM clear. */
    movl $(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl $(CR0_PE | CR0_MP | CR0_NE | CR0_PG), %eax
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $0x08, $start_long

    .code64
start_long:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $stack_top, %esp
    xorl %ebp, %ebp
    call stack_protector_initialise
    call kernel_main
2:  hlt
    jmp 2b

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 64-bit code, ring 0 */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .section .bss
    .balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd:   .skip 4096
    .skip STACK_SIZE
stack_top:

    .section .note.GNU-stack, "", @progbits
