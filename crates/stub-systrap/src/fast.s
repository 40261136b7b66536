# What patched system call sites jump to. It is part of the guest's thread, with the guest's signal mask: the handler
# finds it by its address, between tsv_systrap_fast and tsv_systrap_fast_end, and by where in it the thread is.
#
# r11 is the site's block; rcx is free as well. GS is the thread's slot unless the guest uses it for something else.

    .macro TSV_PUT at, reg
    mov [rsp + \at - {eflags}], \reg
    .endm
    .macro TSV_TAKE reg, at
    mov \reg, [rsp + \at - {eflags}]
    .endm

    .balign 64
    .hidden tsv_systrap_fast
    .globl tsv_systrap_fast
tsv_systrap_fast:
    rdgsbase rcx                    # no flag may change yet: is this an address of ours, 0x7fff and 32 bits?
    bswap rcx
    lea ecx, [rcx + 0x810000]
    jecxz 1f
    lea r11, [r11 + {block_trap}]   # GS is the guest's own: a system call that traps
    jmp r11
1:  mov gs:[{rsp}], rsp
    mov rsp, gs:[{flags_end_at}]
    pushfq                          # rsp is the place of the flags in the context page from here on
    cmp rax, {answered_nr_max}
    jbe tsv_systrap_answering
tsv_systrap_ask:
    TSV_PUT {rbx}, rbx
    lea rbx, [rsp - {eflags}]
    TSV_PUT {rbp}, rbp
    TSV_PUT {r8}, r8
    TSV_PUT {r9}, r9
    TSV_PUT {r12}, r12
    TSV_PUT {r13}, r13
    TSV_PUT {r14}, r14
    TSV_PUT {r15}, r15
    mov rcx, [r11 + {block_rip}]
    mov [rbx + {rip}], rcx
    mov [rbx + {rcx}], rcx
    mov [rbx + {fast_rip_at}], rcx
    mov rcx, [r11 + {block_resume}]
    mov [rbx + {resume_at}], rcx
    mov rcx, [r11 + {block_restart}]
    mov [rbx + {restart_ip}], rcx
    mov rcx, [rsp]
    mov [rbx + {r11}], rcx
    rdfsbase rcx
    mov [rbx + {fs_base}], rcx
    xor r12d, r12d                  # there is no signal frame
    mov [rbx + {gs_base}], r12
    mov [rbx + {fp_addr_at}], r12
    mov ecx, 0x33
    mov [rbx + {cs}], rcx
    mov ecx, 0x2b
    mov [rbx + {ss}], rcx
    movabs r13, {bell_addr}
    TSV_PUT {rdi}, rdi              # what the sentry reads is last: it takes the line away as long as it looks at it
    TSV_PUT {rsi}, rsi
    TSV_PUT {rdx}, rdx
    TSV_PUT {r10}, r10
    movsxd rax, eax
    TSV_PUT {orig_rax}, rax
    mov qword ptr [rbx + {rax}], -38
    mov dword ptr [rbx + {way}], {way_fast}
    mov eax, {reason_syscall}

tsv_systrap_stop:                   # eax is the reason; the handler comes here too, with r12 = its ucontext_t
    mov [rbx + {reason}], eax
    mov eax, {state_kernel}
    xchg [rbx], eax
tsv_systrap_published:
    cmp dword ptr [rbx + {watched_at}], 0
    jne tsv_systrap_wait            # the sentry clears it, looks at the state once more, and then sleeps
    mov rcx, rbx                    # the bell: leaf first, for the sentry clears it from the root
    movabs rax, {slots_addr}
    sub rcx, rax
    shr rcx, {slot_shift}
    lock bts dword ptr [r13 + {leaf_at}], ecx
    shr ecx, 5
    lock bts dword ptr [r13 + {middle_at}], ecx
    shr ecx, 5
    lock bts dword ptr [r13 + {root_at}], ecx
    cmp dword ptr [r13 + {sleeper_at}], {sleeper_sleeps}
    jne tsv_systrap_wait
    mov eax, {sleeper_woken}
    xchg [r13 + {sleeper_at}], eax
    cmp eax, {sleeper_sleeps}
    jne tsv_systrap_wait
    mov eax, 202                    # futex(sleeper, FUTEX_WAKE, 1)
    lea rdi, [r13 + {sleeper_at}]
    mov esi, 1
    mov edx, 1
    syscall

tsv_systrap_wait:
    mov r8d, [r13 + {spin_at}]
    test r8d, r8d
    jz 3f
    rdtsc
    shl rdx, 32
    or rax, rdx
    add r8, rax
    lea r9, [rax + {first_look}]
1:  rdtsc                           # no answer comes so soon
    shl rdx, 32
    or rax, rdx
    cmp rax, r9
    jb 1b
2:  mov eax, [rbx]
    cmp eax, {state_guest}
    je tsv_systrap_resume
    cmp eax, {state_trap}
    je tsv_systrap_trap
    cmp eax, {state_resting}
    je 3f
    pause
    rdtsc
    shl rdx, 32
    or rax, rdx
    cmp rax, r8
    jb 2b
3:  mov eax, {state_kernel}
    mov ecx, {state_asleep}
4:  lock cmpxchg dword ptr [rbx], ecx
    je 5f
    cmp eax, {state_resting}
    je 4b
5:  mov eax, [rbx]
    cmp eax, {state_guest}
    je tsv_systrap_resume
    cmp eax, {state_trap}
    je tsv_systrap_trap
    mov eax, 202                    # futex(state, FUTEX_WAIT, STATE_ASLEEP, NULL)
    mov rdi, rbx
    xor esi, esi
    mov edx, {state_asleep}
    xor r10d, r10d
    syscall
    jmp 3b

tsv_systrap_resume:
    test r12, r12
    jnz tsv_systrap_return_to_guest
    movabs rcx, {task_end}          # what needs more than user code can do needs a signal frame
    mov rdx, [rbx + {rip}]
    cmp rdx, rcx
    jae tsv_systrap_leave
    mov rdi, [rbx + {fs_base}]
    cmp rdi, rcx
    jae tsv_systrap_leave
    cmp qword ptr [rbx + {gs_base}], 0
    jne tsv_systrap_leave
    cmp qword ptr [rbx + {cs}], 0x33
    jne tsv_systrap_leave
    test dword ptr [rbx + {eflags}], 0x10100 # RF, TF
    jnz tsv_systrap_leave
    rdfsbase rax
    cmp rax, rdi
    je 1f
    wrfsbase rdi
1:  mov rax, [rbx + {resume_at}]    # where the site's own continuation is, if that is where the guest goes on
    cmp rdx, [rbx + {fast_rip_at}]
    cmovne rax, rdx
    mov [rbx + {go_at}], rax
    lea rsp, [rbx + {eflags}]
    TSV_TAKE r15, {r15}
    TSV_TAKE r14, {r14}
    TSV_TAKE r13, {r13}
    TSV_TAKE r12, {r12}
    TSV_TAKE rbp, {rbp}
    TSV_TAKE rbx, {rbx}
    TSV_TAKE r11, {r11}
    TSV_TAKE r10, {r10}
    TSV_TAKE r9, {r9}
    TSV_TAKE r8, {r8}
    TSV_TAKE rax, {rax}
    TSV_TAKE rcx, {rcx}
    TSV_TAKE rdx, {rdx}
    TSV_TAKE rsi, {rsi}
    TSV_TAKE rdi, {rdi}
    popfq
    mov rsp, gs:[{rsp}]
    jmp qword ptr gs:[{go_at}]

tsv_systrap_leave:
    mov dword ptr [rbx + {leaving_at}], 1
tsv_systrap_trap:                   # a signal frame is wanted, with the FP state and a way to set all registers
    test r12, r12
    jnz 1f
    mov eax, 39                     # any call that is not allowed
    syscall
tsv_systrap_trapped:
    ud2
1:  mov dword ptr [rbx], {state_kernel} # there is one
    jmp tsv_systrap_wait

tsv_systrap_answering:              # a call that may be answered here. A signal that comes before the answer asks anew
    movabs rcx, {data} + {answers_at}
    movzx ecx, byte ptr [rcx + rax]
    mov ecx, [rsp + rcx * 4 + {page_answers_at} - {eflags}]
    cmp ecx, -1
    je tsv_systrap_ask
    test dword ptr [rsp], 0x100     # TF
    jnz tsv_systrap_ask
    cmp dword ptr [rsp + {interrupt_at} - {eflags}], 0
    jne tsv_systrap_ask
    mov [rsp + {answer_at} - {eflags}], ecx
    mov rcx, [r11 + {block_resume}]
    mov [rsp + {go_at} - {eflags}], rcx
    mov rcx, [r11 + {block_rip}]
    mov [rsp + {fast_rip_at} - {eflags}], rcx
    mov eax, [rsp + {answer_at} - {eflags}]
tsv_systrap_answered:               # and one that comes here finds the rest in the page
    mov r11, [rsp]
    popfq
    mov rsp, gs:[{rsp}]
    jmp qword ptr gs:[{go_at}]
tsv_systrap_fast_end:

