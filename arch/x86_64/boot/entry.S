/* SPDX-License-Identifier: MIT
 *
 * From the boot loader's 32-bit protected mode to C in the upper half.
 *
 * Two doors: Multiboot2 (GRUB; the ELF's entry point) and PVH (QEMU's -kernel; the note below). Both arrive with paging off and flat 32-bit segments, and
 * hand over a physical address in EBX. This file and its data are linked at their physical address and are gone after mmu_initialise.
 *
 * The image is linked as position independent, so that it can be moved (layout.c); what stands here stays. All of it is one section that begins
 * where the image does in memory, so that ADDRESS makes numbers of its symbols, and the linker has nothing to relocate.
 */

#define PROTOCOL_MULTIBOOT2 1
#define PROTOCOL_PVH        2
#define MULTIBOOT2_MAGIC    0x36d76289

#define CR0_PE (1 << 0)
#define CR0_MP (1 << 1)
#define CR0_EM (1 << 2)
#define CR0_NE (1 << 5)
#define CR0_WP (1 << 16)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define CR4_OSFXSR (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define EFER_NXE (1 << 11)

#define PAGE_PRESENT_WRITE 0x3
#define PAGE_LARGE         0x80

#define ADDRESS(symbol) (symbol - header + 0x100000) /* as it is linked */

    .section .boot, "ax"
    .balign 8
/* Multiboot2 specification 2.0, section 3.1.1; must lie in the first 32 KiB of the file. */
header:
    .long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + 0 + (header_end - header))
    /* Modules on page boundaries (3.1.12). */
    .balign 8
    .word 6, 0
    .long 8
    /* End of tags. */
    .balign 8
    .word 0, 0
    .long 8
header_end:

/* Xen public/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY = 18 */
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long ADDRESS(start_pvh)

    .section .boot, "ax"
    .code32
    .globl start_multiboot2
start_multiboot2:
    movl $PROTOCOL_MULTIBOOT2, %edi
    cmpl $MULTIBOOT2_MAGIC, %eax
    je start
    movl $ADDRESS(message_loader), %esi
    jmp refuse

    .globl start_pvh
start_pvh:
    movl $PROTOCOL_PVH, %edi

start:
    cli
    cld
    movl %ebx, %ebp
    rdtsc
    movl %eax, ADDRESS(boot_timestamp)
    movl %edx, ADDRESS(boot_timestamp) + 4

    /* Long mode and no-execute pages (CPUID 0x80000001, EDX bits 29 and 20) or nothing. */
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb unsuitable
    movl $0x80000001, %eax
    cpuid
    andl $(1 << 29 | 1 << 20), %edx
    cmpl $(1 << 29 | 1 << 20), %edx
    jne unsuitable

    /* The first GiB, three times: where it is, at the direct map, and below the image. All tables lie below 4 GiB. */
    movl $(ADDRESS(boot_pdpt_low) + PAGE_PRESENT_WRITE), ADDRESS(boot_pml4)
    movl $(ADDRESS(boot_pdpt_low) + PAGE_PRESENT_WRITE), ADDRESS(boot_pml4) + 256 * 8
    movl $(ADDRESS(boot_pdpt_high) + PAGE_PRESENT_WRITE), ADDRESS(boot_pml4) + 511 * 8
    movl $(ADDRESS(boot_pd) + PAGE_PRESENT_WRITE), ADDRESS(boot_pdpt_low)
    movl $(ADDRESS(boot_pd) + PAGE_PRESENT_WRITE), ADDRESS(boot_pdpt_high) + 510 * 8
    movl $ADDRESS(boot_pd), %ecx
    movl $(PAGE_PRESENT_WRITE | PAGE_LARGE), %eax
1:  movl %eax, (%ecx)
    addl $8, %ecx
    addl $0x200000, %eax
    cmpl $(ADDRESS(boot_pd) + 4096), %ecx
    jne 1b

    /* Intel SDM volume 3, 9.8.5: PAE, CR3, EFER.LME, then paging. */
    movl $(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
    movl %eax, %cr4
    movl $ADDRESS(boot_pml4), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $(EFER_LME | EFER_NXE), %eax
    wrmsr
    movl $(CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG), %eax
    movl %eax, %cr0
    lgdt ADDRESS(boot_gdt_pointer)
    ljmp $0x08, $ADDRESS(start_long)

unsuitable:
    movl $ADDRESS(message_cpu), %esi
/* Says why on the serial port and stops. ESI: the text. */
refuse:
    movw $0x3f8, %dx
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  cli
    hlt
    jmp 2b

    .code64
start_long:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movabsq $ADDRESS(boot_stack_top), %rsp
    movl %edi, %r12d
    movl %ebp, %r13d
    xorl %ebp, %ebp
    /* How far the image moves: layout_choose(protocol, physical address of the information, tables). */
    movq %r12, %rdi
    movq %r13, %rsi
    leaq boot_pdpt_high(%rip), %rdx
    movabsq $ADDRESS(layout_choose), %rax
    callq *%rax
    movq %rax, %rbx
    /* From here on where it stands: kernel_enter(protocol, information, timestamp); a zero frame ends every backtrace. */
    movabsq $ADDRESS(boot_stack_top), %rsp
    addq %rbx, %rsp
    movq %r12, %rdi
    movq %r13, %rsi
    movq boot_timestamp(%rip), %rdx
    pushq $0
    pushq $0
    movabsq $ADDRESS(kernel_enter), %rax
    addq %rbx, %rax
    callq *%rax
3:  cli
    hlt
    jmp 3b

message_loader: .asciz "microkernelia: not started by Multiboot2 or PVH\r\n"
message_cpu:    .asciz "microkernelia: this CPU has no long mode or no no-execute pages; try -cpu max\r\n"
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 64-bit code, ring 0 */
boot_gdt_pointer:
    .word boot_gdt_pointer - boot_gdt - 1
    .long ADDRESS(boot_gdt)

    .section .boot.bss, "aw", @nobits
    .balign 4096
boot_pml4:      .skip 4096
boot_pdpt_low:  .skip 4096
boot_pd:        .skip 4096
/* struct layout_tables (layout.c) */
boot_pdpt_high: .skip 4096
                .skip 4096 * 4
boot_timestamp: .skip 8

    .section .note.GNU-stack, "", @progbits
