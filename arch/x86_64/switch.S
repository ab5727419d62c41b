/* SPDX-License-Identifier: MIT */

/* void cpu_switch(void **save, void *load) */
    .text
    .globl cpu_switch
    .hidden cpu_switch
    .type cpu_switch, @function
cpu_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    retq
    .size cpu_switch, . - cpu_switch

/* Where a new stack starts: RBX holds the entry, R12 its argument (see cpu_prepare_stack). RBP is 0 and ends backtraces. */
    .globl cpu_stack_start
    .hidden cpu_stack_start
    .type cpu_stack_start, @function
cpu_stack_start:
    movq %r12, %rdi
    callq *%rbx
    ud2
    .size cpu_stack_start, . - cpu_stack_start

    .section .note.GNU-stack, "", @progbits
