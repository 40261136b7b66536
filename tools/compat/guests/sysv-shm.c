/* System V shared memory, shmget(2), shmat(2), shmctl(2): sharing, counts, removal, permissions and every error. */
#include "show.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void stat_of(int id, const char *when) {
    struct shmid_ds ds;
    if (SHOW(shmctl(id, IPC_STAT, &ds)) < 0) return;
    printf("%s: size %zu attached %lu mode %o cpid own %d lpid set %d atime %d dtime %d ctime %d key %#x\n", when,
           ds.shm_segsz, (unsigned long)ds.shm_nattch, ds.shm_perm.mode, ds.shm_cpid == getpid(), ds.shm_lpid != 0,
           ds.shm_atime != 0, ds.shm_dtime != 0, ds.shm_ctime != 0, (unsigned)ds.shm_perm.__key);
}

static void show_errors(int id) {
    SHOW(shmget(0x7ce1, 100, 0600));
    SHOW(shmget(0x7ce1, 0, IPC_CREAT | 0600));
    SHOW(shmget(IPC_PRIVATE, (size_t)-1, 0600));
    SHOW(shmget(0x7ce0, 5000, IPC_CREAT | IPC_EXCL | 0600));
    SHOW(shmget(0x7ce0, 5001, 0600));
    SHOW(shmget(0x7ce0, 5000, 0600) == id);
    SHOW(shmget(0x7ce0, 0, IPC_CREAT) == id);
    SHOW((long)shmat(-1, NULL, 0));
    SHOW((long)shmat(id + 1, NULL, 0));
    SHOW((long)shmat(id, (void *)0x10000001, 0));
    SHOW((long)shmat(id, NULL, SHM_REMAP));
    SHOW(shmdt((void *)0x10000000));
    SHOW(shmdt((void *)1));
    SHOW(shmctl(-1, IPC_STAT, NULL));
    SHOW(shmctl(id, 77, NULL));
    SHOW(shmctl(id, IPC_STAT, (void *)8));
    SHOW(shmctl(id, IPC_SET, (void *)8));
}

static void show_placement(int id) {
    char *room = mmap(NULL, 0x10000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW((long)shmat(id, room, 0));
    SHOW(shmat(id, room, SHM_REMAP) == room);
    room[4999] = 1;
    SHOW(shmdt(room));
    SHOW(shmat(id, room + 0x801, SHM_RND) == room);
    SHOW(mprotect(room, 4096, PROT_READ));
    SHOW(shmdt(room));
    char *read_only = shmat(id, NULL, SHM_RDONLY);
    printf("seen %d\n", read_only[4999]);
    pid_t child = fork();
    if (child == 0) {
        read_only[0] = 1;
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("write to read-only: signal %d\n", WTERMSIG(status));
    SHOW(shmdt(read_only));
}

static void show_permissions(int id) {
    struct shmid_ds ds;
    shmctl(id, IPC_STAT, &ds);
    ds.shm_perm.mode = 0440;
    ds.shm_perm.uid = 0;
    ds.shm_perm.gid = 77;
    SHOW(shmctl(id, IPC_SET, &ds));
    stat_of(id, "after IPC_SET");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setgid(77);
        setuid(1000);
        SHOW((long)shmat(id, NULL, 0));
        SHOW_OK((long)shmat(id, NULL, SHM_RDONLY));
        SHOW(shmget(0x7ce0, 0, 0600));
        SHOW(shmctl(id, IPC_RMID, NULL));
        SHOW(shmctl(id, IPC_SET, &ds));
        SHOW(shmctl(id, SHM_LOCK, NULL));
        SHOW(setgid(77));
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

int main(void) {
    int id = shmget(0x7ce0, 5000, IPC_CREAT | IPC_EXCL | 0640);
    must("shmget", id);
    stat_of(id, "new");
    char *first = shmat(id, NULL, 0);
    char *second = shmat(id, NULL, 0);
    strcpy(first, "shared");
    printf("second sees %s\n", second);
    stat_of(id, "attached twice");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        stat_of(id, "in a child");
        strcpy(second, "by the child");
        SHOW(shmdt(first));
        execl("/bin/true", "true", NULL);
    }
    waitpid(child, NULL, 0);
    printf("parent sees %s\n", first);
    stat_of(id, "after the child");
    SHOW(shmdt(second));
    show_errors(id);
    show_placement(id);
    show_permissions(id);
    SHOW(shmctl(id, SHM_LOCK, NULL));
    SHOW(shmctl(id, SHM_UNLOCK, NULL));
    SHOW(shmctl(id, IPC_RMID, NULL));
    stat_of(id, "removed");
    SHOW(shmget(0x7ce0, 0, 0));
    char *third = shmat(id, NULL, SHM_RDONLY);
    printf("still %s\n", third);
    SHOW(shmdt(third));
    SHOW(shmdt(first));
    SHOW(shmctl(id, IPC_STAT, NULL));
    return 0;
}
