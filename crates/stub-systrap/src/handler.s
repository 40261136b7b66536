    .macro TSV_SAVE from, to
    mov rax, [r12 + \from]
    mov [rbx + \to], rax
    .endm
    .macro TSV_RESTORE to, from
    mov rax, [rbx + \from]
    mov [r12 + \to], rax
    .endm

    .balign 64
    .hidden tsv_systrap_handler
    .globl tsv_systrap_handler
tsv_systrap_handler:                # edi signo, rsi siginfo_t, rdx ucontext_t
    mov rbx, rsp
    and rbx, -{slot_bytes}
    mov r12, rdx
    movabs r13, {bell_addr}
    mov r14d, edi
    mov r15, rsi
    mov rdx, [r12 + 168]            # rip
    lea rax, [rip + tsv_systrap_fast_end]
    cmp rdx, rax
    jae 1f
    lea rax, [rip + tsv_systrap_fast]
    cmp rdx, rax
    jae tsv_systrap_in_fast
1:  mov rcx, rdx
    sub rcx, {blocks_addr}
    cmp rcx, {blocks_bytes}
    jb tsv_systrap_in_block
tsv_systrap_in_guest:
    cmp r14d, {interrupt_signal}
    je 1f
    cmp dword ptr [rsi + 8], 0      # si_code: what somebody has sent is not for the guest
    jle tsv_systrap_return
    jmp 2f
1:  cmp dword ptr [rbx + {interrupt_at}], 0
    je tsv_systrap_return           # it has stopped for another reason before
2:  cmp dword ptr [rbx], {state_starting}
    je tsv_systrap_begin
    TSV_SAVE 40, {r8}
    TSV_SAVE 48, {r9}
    TSV_SAVE 56, {r10}
    TSV_SAVE 64, {r11}
    TSV_SAVE 72, {r12}
    TSV_SAVE 80, {r13}
    TSV_SAVE 88, {r14}
    TSV_SAVE 96, {r15}
    TSV_SAVE 104, {rdi}
    TSV_SAVE 112, {rsi}
    TSV_SAVE 120, {rbp}
    TSV_SAVE 128, {rbx}
    TSV_SAVE 136, {rdx}
    TSV_SAVE 152, {rcx}
    TSV_SAVE 160, {rsp}
    TSV_SAVE 176, {eflags}
    TSV_SAVE 224, {fp_addr_at}
    movzx eax, word ptr [r12 + 184]
    mov [rbx + {cs}], rax
    movzx eax, word ptr [r12 + 190]
    mov [rbx + {ss}], rax
    rdfsbase rax
    mov [rbx + {fs_base}], rax
    rdgsbase rax
    xor ecx, ecx
    cmp rax, [rbx + {gs_at}]
    cmove rax, rcx
    mov [rbx + {gs_base}], rax
    mov dword ptr [rbx + {way}], {way_trap}
    mov rcx, [r12 + 144]            # rax
    mov rdx, [r12 + 168]            # rip
    cmp r14d, 31
    je 3f
    mov [rbx + {rax}], rcx
    mov qword ptr [rbx + {orig_rax}], -1
    mov [rbx + {rip}], rdx
    mov [rbx + {restart_ip}], rdx
    mov eax, {reason_interrupted}
    cmp r14d, {interrupt_signal}
    je tsv_systrap_stop
    mov rcx, [r15 + 16]             # a fault: si_addr, si_code, trapno, err
    mov r8d, [r15 + 8]
    mov r9d, [r12 + 200]
    mov r10d, [r12 + 192]
    jmp tsv_systrap_fault

3:  cmp dword ptr [r15 + 28], 0xc000003e
    jne 4f                          # si_arch: not x86-64
    cmp qword ptr [r15 + 16], 0
    jl 5f                           # si_call_addr: the vsyscall page
    movsxd rcx, dword ptr [r15 + 24] # si_syscall: the host may have made -EINTR of a number like -ERESTARTSYS
    mov [rbx + {orig_rax}], rcx
    mov qword ptr [rbx + {rax}], -38
    mov [rbx + {rip}], rdx
    sub rdx, 2
    mov [rbx + {restart_ip}], rdx
    mov eax, {reason_syscall}
    jmp tsv_systrap_stop

4:  sub rdx, 2                      # int 0x80: a general protection fault, as without 32-bit system calls
    mov [rbx + {rax}], rcx
    mov qword ptr [rbx + {orig_rax}], -1
    mov [rbx + {rip}], rdx
    mov [rbx + {restart_ip}], rdx
    mov r14d, 11
    xor ecx, ecx
    mov r8d, 0x80
    mov r9d, 13
    xor r10d, r10d
    jmp tsv_systrap_fault

5:  mov [rbx + {rax}], rcx          # a call of the vsyscall page: a page fault there. The kernel has made the return
    mov rcx, [r15 + 16]
    mov qword ptr [rbx + {orig_rax}], -1
    mov [rbx + {rip}], rcx
    mov [rbx + {restart_ip}], rcx
    sub qword ptr [rbx + {rsp}], 8
    mov r14d, 11
    mov r8d, 1
    mov r9d, 14
    mov r10d, 20

    jmp tsv_systrap_fault

tsv_systrap_begin:                  # its registers may be in the page already; it waits to be resumed
    TSV_SAVE 224, {fp_addr_at}
    mov dword ptr [rbx + {way}], {way_trap}
    mov dword ptr [rbx], {state_kernel}
    jmp tsv_systrap_wait

tsv_systrap_fault:                  # r14d signo, rcx address, r8d code, r9d trap number, r10d error code
    mov [rbx + {signo}], r14d
    mov [rbx + {fault_addr}], rcx
    mov [rbx + {sig_code}], r8d
    mov [rbx + {fault_trapno}], r9d
    mov [rbx + {fault_error}], r10d
    mov eax, {reason_fault}

    jmp tsv_systrap_stop

tsv_systrap_return_to_guest:
    movabs rcx, {task_end}          # bases that no user can have would fault here
    mov rdi, [rbx + {fs_base}]
    cmp rdi, rcx
    jae tsv_systrap_refuse
    mov rsi, [rbx + {gs_base}]
    cmp rsi, rcx
    jae tsv_systrap_refuse
    test rsi, rsi
    cmovz rsi, [rbx + {gs_at}]      # a guest that does not use GS has its slot there
    rdfsbase rax
    cmp rax, rdi
    je 1f
    wrfsbase rdi
1:  rdgsbase rax
    cmp rax, rsi
    je 2f
    wrgsbase rsi
2:  TSV_RESTORE 40, {r8}
    TSV_RESTORE 48, {r9}
    TSV_RESTORE 56, {r10}
    TSV_RESTORE 64, {r11}
    TSV_RESTORE 72, {r12}
    TSV_RESTORE 80, {r13}
    TSV_RESTORE 88, {r14}
    TSV_RESTORE 96, {r15}
    TSV_RESTORE 104, {rdi}
    TSV_RESTORE 112, {rsi}
    TSV_RESTORE 120, {rbp}
    TSV_RESTORE 128, {rbx}
    TSV_RESTORE 136, {rdx}
    TSV_RESTORE 144, {rax}
    TSV_RESTORE 152, {rcx}
    TSV_RESTORE 160, {rsp}
    TSV_RESTORE 168, {rip}
    TSV_RESTORE 176, {eflags}
    mov eax, 0x33                   # __USER_CS, or __USER32_CS where a far jump has led
    mov ecx, 0x23
    cmp [rbx + {cs}], rcx
    cmove eax, ecx
    mov [r12 + 184], ax
    mov word ptr [r12 + 190], 0x2b
    mov qword ptr [r12 + 296], 0    # no signal is blocked
tsv_systrap_return:
    mov rsp, r12
    mov eax, 15                     # rt_sigreturn
    syscall
    jmp tsv_systrap_die

tsv_systrap_in_block:               # rip, less the place of the blocks, is rcx
    and ecx, {block_bytes} - 1
    cmp ecx, {block_trap}
    ja tsv_systrap_in_guest
    cmp ecx, {block_code} + 5       # behind a moved mov eax, imm32 a single step ends
    jne tsv_systrap_pass
    cmp r14d, 5
    je tsv_systrap_in_guest
    jmp tsv_systrap_pass            # on its way to the stop

tsv_systrap_in_answer:              # rip is rdx
    cmp r14d, {interrupt_signal}
    jne tsv_systrap_pass
    cmp dword ptr [rbx + {interrupt_at}], 0
    je tsv_systrap_return
    lea rax, [rip + tsv_systrap_answered]
    cmp rdx, rax
    jae 1f
    lea rax, [rip + tsv_systrap_ask]
    mov [r12 + 168], rax
    jmp tsv_systrap_return
1:  mov rax, [rbx + {fast_rip_at}]  # as if it had just left
    mov [r12 + 152], rax
    mov rax, [rbx + {eflags}]
    mov [r12 + 64], rax
    mov [r12 + 176], rax
    mov rax, [rbx + {rsp}]
    mov [r12 + 160], rax
    mov rax, [rbx + {go_at}]
    mov [r12 + 168], rax
    jmp tsv_systrap_in_guest

tsv_systrap_in_fast:                # rip is rdx
    lea rax, [rip + tsv_systrap_answering]
    cmp rdx, rax
    jae tsv_systrap_in_answer
    lea rax, [rip + tsv_systrap_trapped]
    cmp rdx, rax
    je 1f
    lea rax, [rip + tsv_systrap_published]
    cmp rdx, rax
    jb tsv_systrap_pass             # on its way to the stop
    cmp r14d, {interrupt_signal}
    jne 2f
    cmp dword ptr [rbx], {state_guest}
    jne tsv_systrap_return          # stopped
    cmp dword ptr [rbx + {interrupt_at}], 0
    je tsv_systrap_return
    TSV_SAVE 224, {fp_addr_at}      # on its way out of it: all registers are in the page
    mov rdx, [rbx + {rip}]
    mov qword ptr [rbx + {orig_rax}], -1
    mov [rbx + {restart_ip}], rdx
    mov dword ptr [rbx + {way}], {way_trap}
    mov eax, {reason_interrupted}
    jmp tsv_systrap_stop
1:  cmp r14d, 31
    jne tsv_systrap_in_guest
    cmp dword ptr [rbx + {leaving_at}], 0
    jne 3f
    cmp dword ptr [rbx], {state_trap}
    jne tsv_systrap_in_guest        # nobody has wanted it but the guest
    TSV_SAVE 224, {fp_addr_at}      # the frame that was wanted
    mov dword ptr [rbx], {state_kernel}
    jmp tsv_systrap_wait
3:  mov dword ptr [rbx + {leaving_at}], 0
    TSV_SAVE 224, {fp_addr_at}
    jmp tsv_systrap_wait
2:  and dword ptr [r12 + 176], ~0x100 # the guest's flags, with TF, are in the page

tsv_systrap_pass:                   # what is none of the guest's business does not stop it here: interrupts, single steps
    cmp r14d, {interrupt_signal}
    je tsv_systrap_return
    cmp r14d, 5
    jne tsv_systrap_in_guest
    cmp dword ptr [r15 + 8], 2      # TRAP_TRACE
    je tsv_systrap_return
    jmp tsv_systrap_in_guest

tsv_systrap_refuse:                 # a general protection fault; the registers are as they were
    mov r14d, 11
    xor ecx, ecx
    mov r8d, 0x80
    mov r9d, 13
    xor r10d, r10d
    jmp tsv_systrap_fault

    .hidden tsv_systrap_end
    .globl tsv_systrap_end
tsv_systrap_end:
    .text
