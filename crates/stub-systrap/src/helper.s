    .section .rodata.tsv_systrap, "a", @progbits
    .balign 16
    .hidden tsv_systrap_code
    .globl tsv_systrap_code
tsv_systrap_code:

    .macro TSV_MMAP addr, len, prot
    mov eax, 9                      # mmap(addr, len, prot, MAP_SHARED | MAP_FIXED, CONTROL_FD, r9)
    movabs rdi, \addr
    mov esi, \len
    mov edx, \prot
    mov r10d, 0x11
    mov r8d, {control_fd}
    syscall
    cmp rax, rdi
    jne tsv_systrap_die
    .endm

    .hidden tsv_systrap_entry
    .globl tsv_systrap_entry
tsv_systrap_entry:                  # after execve(2), where the loader has put it
    xor r9d, r9d
    TSV_MMAP {code_addr}, {code_bytes}, 5
    lea rax, [rip + 1f]
    lea rcx, [rip + tsv_systrap_code]
    sub rax, rcx
    movabs rcx, {code_addr}
    add rax, rcx
    jmp rax
1:  mov eax, 11                     # munmap: what execve(2) has mapped, below and above
    xor edi, edi
    movabs rsi, {code_addr}
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 11
    movabs rdi, {code_end}
    movabs rsi, {task_end} - {code_end}
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov r9d, {bell_offset}
    TSV_MMAP {bell_addr}, 4096, 3
    mov r9d, {control_offset}
    TSV_MMAP {control_addr}, 4096, 1
    mov r9d, {scratch_offset}
    TSV_MMAP {scratch_addr}, 4096, 3
    mov eax, 28                     # madvise(SCRATCH_ADDR, 4096, MADV_DONTFORK)
    movabs rdi, {scratch_addr}
    mov esi, 4096
    mov edx, 10
    syscall
    test rax, rax
    jne tsv_systrap_die

    mov ebx, 64                     # rt_sigaction(64..1, ignore); the kernel refuses SIGKILL and SIGSTOP
2:  mov eax, 13
    mov edi, ebx
    movabs rsi, {data} + {ignore_at}
    xor edx, edx
    mov r10d, 8
    syscall
    dec ebx
    jnz 2b
    movabs rbx, {data} + {signals_at}
3:  movzx edi, byte ptr [rbx]       # rt_sigaction of those that stop the guest
    test edi, edi
    jz 4f
    mov eax, 13
    movabs rsi, {data} + {action_at}
    xor edx, edx
    mov r10d, 8
    syscall
    test rax, rax
    jne tsv_systrap_die
    inc rbx
    jmp 3b
4:  mov eax, 157                    # prctl(PR_SET_NAME)
    mov edi, 15
    movabs rsi, {data} + {name_at}
    syscall
    mov eax, 110                    # getppid
    syscall
    mov r15d, eax
    mov eax, 317                    # seccomp(SECCOMP_SET_MODE_FILTER, 0, filter)
    mov edi, 1
    xor esi, esi
    movabs rdx, {data} + {helper_filter_at}
    syscall
    test rax, rax
    jne tsv_systrap_die
    movabs r13, {control_addr}
    xor r14d, r14d
    xor eax, eax

tsv_systrap_answer:                 # rax is the answer
    lea rsi, [rax + {answer_bias}]
    mov eax, 8                      # lseek(ANSWER_FD, rsi, SEEK_SET)
    mov edi, {answer_fd}
    xor edx, edx
    syscall
    mov eax, 1                      # write(EVENT_FD, &1, 8)
    mov edi, {event_fd}
    movabs rsi, {data} + {one_at}
    mov edx, 8
    syscall

tsv_systrap_helper:                 # waits for a request
    mov eax, [r13 + {sequence}]
    cmp eax, r14d
    jne 1f
    mov eax, 202                    # futex(sequence, FUTEX_WAIT, r14, NULL)
    mov rdi, r13
    xor esi, esi
    mov edx, r14d
    xor r10d, r10d
    syscall
    jmp tsv_systrap_helper
1:  mov r14d, eax
    lea rbx, [r13 + {calls}]
    imul rbp, [r13 + {call_count}], 56
    add rbp, rbx
2:  cmp rbx, rbp
    je 3f
    mov rax, [rbx]
    mov rdi, [rbx + 8]
    mov rsi, [rbx + 16]
    mov rdx, [rbx + 24]
    mov r10, [rbx + 32]
    mov r8, [rbx + 40]
    mov r9, [rbx + 48]
    syscall
    cmp rax, -4095
    jae 4f
    add rbx, 56
    jmp 2b
3:  xor eax, eax
    mov ecx, [r13 + {tail}]
    cmp ecx, {tail_fork}
    je tsv_systrap_fork
    cmp ecx, {tail_first_thread}
    je 5f
    cmp ecx, {tail_thread}
    jne tsv_systrap_answer

5:  mov ebp, ecx
    mov eax, 56                     # clone(THREAD_FLAGS, 0, thread_id_addr)
    mov edi, {thread_flags}
    xor esi, esi
    mov rdx, [r13 + {thread_id_addr}]
    xor r10d, r10d
    xor r8d, r8d
    syscall
    test rax, rax
    je 6f
    cmp ebp, {tail_first_thread}
    jne tsv_systrap_answer
    test rax, rax
    jns tsv_systrap_helper          # nobody waits for its ID
    jmp tsv_systrap_die
4:  cmp dword ptr [r13 + {tail}], {tail_first_thread}
    jne tsv_systrap_answer
    jmp tsv_systrap_die
6:  mov eax, 436                    # the thread: close_range(0, ~0, 0)
    xor edi, edi
    mov esi, -1
    xor edx, edx
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 131                    # sigaltstack(&signal_stack, NULL)
    lea rdi, [r13 + {signal_stack}]
    xor esi, esi
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 14                     # rt_sigprocmask(SIG_SETMASK, none, NULL, 8)
    mov edi, 2
    movabs rsi, {data} + {no_signals_at}
    xor edx, edx
    mov r10d, 8
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 317                    # seccomp(SECCOMP_SET_MODE_FILTER, 0, filter)
    mov edi, 1
    xor esi, esi
    movabs rdx, {data} + {guest_filter_at}
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 39                     # any call that is not allowed brings it into the handler
    syscall
    jmp tsv_systrap_die

tsv_systrap_fork:
    mov r12, [r13 + {request_control_offset}]
    mov eax, 56                     # clone(FORK_FLAGS)
    mov edi, {fork_flags}
    xor esi, esi
    xor edx, edx
    xor r10d, r10d
    xor r8d, r8d
    syscall
    test rax, rax
    jne tsv_systrap_answer
    mov eax, 157                    # the copy: prctl(PR_SET_PDEATHSIG, SIGKILL), which clone(2) has reset
    mov edi, 1
    mov esi, 9
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 110                    # getppid: a parent that has died before sends nothing
    syscall
    cmp eax, r15d
    jne tsv_systrap_die
    mov eax, 11                     # munmap: the slots of the other address space's threads
    movabs rdi, {slots_addr}
    mov esi, {slots_bytes}
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov r9, r12
    TSV_MMAP {control_addr}, 4096, 1
    xor r14d, r14d
    jmp tsv_systrap_helper

tsv_systrap_die:                    # with all signals blocked, a fault ends the process
    ud2
