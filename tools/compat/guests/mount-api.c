/* fsopen(2), fsconfig(2), fsmount(2), move_mount(2), open_tree(2), fspick(2) and mount_setattr(2), with their errors. */
#include "show.h"
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* sys/mount.h cannot stand beside linux/mount.h. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);

static long fsopen_(const char *type, unsigned flags) { return syscall(SYS_fsopen, type, flags); }
static long fsconfig_(int fd, unsigned cmd, const char *key, const void *value, int aux) {
    return syscall(SYS_fsconfig, fd, cmd, key, value, aux);
}
static long fsmount_(int fd, unsigned flags, unsigned attributes) { return syscall(SYS_fsmount, fd, flags, attributes); }
static long move(int from, const char *from_path, int to, const char *to_path, unsigned flags) {
    return syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}
static long tree(int fd, const char *path, unsigned flags) { return syscall(SYS_open_tree, fd, path, flags); }
static long pick(int fd, const char *path, unsigned flags) { return syscall(SYS_fspick, fd, path, flags); }
static long setattr(int fd, const char *path, unsigned flags, unsigned long set, unsigned long clear,
                    unsigned long propagation) {
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
    return syscall(SYS_mount_setattr, fd, path, flags, &attr, sizeof attr);
}

/* The options and the type of what is mounted on a directory of ours. */
static void show_mount(const char *name) {
    char line[1000], point[300], options[300], optional[300];
    int count = 0;
    FILE *file = fopen("/proc/self/mountinfo", "r");
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%*s %*s %*s %*s %299s %299s %299s", point, options, optional) < 3) continue;
        char *end = strrchr(point, '/');
        if (end == NULL || strcmp(end + 1, name) != 0) continue;
        char *type = strstr(line, " - ");
        printf("%s: %s %.6s %.*s\n", name, options, optional, (int)strcspn(type + 3, " "), type + 3);
        count++;
    }
    if (count == 0) printf("%s: not mounted\n", name);
    fclose(file);
    fflush(stdout);
}

static void making(void) {
    SHOW(fsopen_("nosuchfs", 0));
    SHOW(fsopen_("tmpfs", 2));
    SHOW(fsopen_((void *)8, 0));
    int fd = (int)must("fsopen", fsopen_("tmpfs", FSOPEN_CLOEXEC));
    SHOW(fcntl(fd, F_GETFD));
    char text[10];
    SHOW(read(fd, text, sizeof text));
    SHOW(fsmount_(fd, 0, 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_STRING, "source", "here", 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_STRING, "source", "there", 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_STRING, "size", "1m", 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_STRING, "mode", "0751", 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_STRING, "size", NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_STRING, NULL, "x", 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_STRING, "size", "1m", 1));
    SHOW(fsconfig_(fd, FSCONFIG_SET_FLAG, "ro", "x", 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_FLAG, "rw", NULL, 0));
    SHOW(fsconfig_(fd, 99, NULL, NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_STRING, (void *)8, "x", 0));
    SHOW(fsconfig_(-1, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    SHOW(fsconfig_(99, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    SHOW(fsconfig_(0, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_CMD_CREATE, "x", NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_STRING, "size", "1m", 0));
    SHOW(fsmount_(fd, 2, 0));
    SHOW(fsmount_(fd, 0, 0x80000000));
    SHOW(fsmount_(fd, 0, 0x30));
    SHOW(fsmount_(99, 0, 0));
    SHOW(fsmount_(0, 0, 0));
    int mnt = (int)must("fsmount", fsmount_(fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME));
    SHOW(fcntl(mnt, F_GETFL) & O_PATH);
    SHOW(mkdirat(mnt, "before", 0755));
    show_mount("made");
    SHOW(move(mnt, "", AT_FDCWD, "made", 0));
    SHOW(move(mnt, "", AT_FDCWD, "made", 0x1000));
    SHOW(move(mnt, "before", AT_FDCWD, "made", 0));
    SHOW(move(mnt, "", AT_FDCWD, "file", MOVE_MOUNT_F_EMPTY_PATH));
    SHOW(move(mnt, "", AT_FDCWD, "none", MOVE_MOUNT_F_EMPTY_PATH));
    SHOW(move(mnt, "", AT_FDCWD, "made", MOVE_MOUNT_F_EMPTY_PATH));
    show_mount("made");
    struct stat st;
    must("stat", stat("made", &st));
    printf("mode %o\n", st.st_mode);
    SHOW(access("made/before", F_OK));
    SHOW(move(mnt, "", AT_FDCWD, "moved", MOVE_MOUNT_F_EMPTY_PATH));
    show_mount("made");
    show_mount("moved");
    SHOW(move(AT_FDCWD, "moved", AT_FDCWD, "made", 0));
    SHOW(move(AT_FDCWD, "moved", AT_FDCWD, "made", 0));
    close(mnt);
    close(fd);
    fd = (int)must("fsopen", fsopen_("tmpfs", 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    mnt = (int)must("fsmount", fsmount_(fd, 0, 0));
    SHOW(mkdirat(mnt, "never", 0755));
    close(mnt);
    close(fd);
}

static void trees(void) {
    must("mkdir", mkdir("made/inner", 0755));
    must("mount", mount("none", "made/inner", "tmpfs", 0, NULL));
    must("mkdir", mkdir("made/inner/deep", 0755));
    SHOW(tree(AT_FDCWD, "made", 0x4));
    SHOW(tree(AT_FDCWD, "made", AT_RECURSIVE));
    SHOW(tree(AT_FDCWD, "none", OPEN_TREE_CLONE));
    SHOW(tree(AT_FDCWD, "", OPEN_TREE_CLONE));
    int fd = (int)must("tree", tree(AT_FDCWD, "made", OPEN_TREE_CLOEXEC));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(faccessat(fd, "inner/deep", F_OK, 0));
    close(fd);
    fd = (int)must("tree", tree(AT_FDCWD, "made", OPEN_TREE_CLONE));
    SHOW(faccessat(fd, "inner", F_OK, 0));
    SHOW(faccessat(fd, "inner/deep", F_OK, 0));
    close(fd);
    fd = (int)must("tree", tree(AT_FDCWD, "made", OPEN_TREE_CLONE | AT_RECURSIVE));
    SHOW(faccessat(fd, "inner/deep", F_OK, 0));
    SHOW(setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0));
    SHOW(mkdirat(fd, "never", 0755));
    SHOW(move(fd, "", AT_FDCWD, "moved", MOVE_MOUNT_F_EMPTY_PATH));
    show_mount("moved");
    show_mount("inner");
    SHOW(access("moved/inner/deep", F_OK));
    SHOW(mkdir("moved/inner/never", 0755));
    SHOW(mkdir("made/inner/other", 0755));
    close(fd);
    SHOW(umount2("moved", 2));
    fd = (int)must("tree", tree(AT_FDCWD, "file", OPEN_TREE_CLONE));
    SHOW(move(fd, "", AT_FDCWD, "moved", MOVE_MOUNT_F_EMPTY_PATH));
    SHOW(move(fd, "", AT_FDCWD, "other", MOVE_MOUNT_F_EMPTY_PATH));
    close(fd);
    SHOW(umount2("other", 0));
}

static void attributes(void) {
    SHOW(setattr(AT_FDCWD, "made", 0, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, 0));
    show_mount("made");
    SHOW(setattr(AT_FDCWD, "made", 0, MOUNT_ATTR_NOATIME, 0, 0));
    SHOW(setattr(AT_FDCWD, "made", 0, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME, 0));
    show_mount("made");
    SHOW(setattr(AT_FDCWD, "made", 0, 0, MOUNT_ATTR_NOATIME, 0));
    SHOW(setattr(AT_FDCWD, "made", 0, 0x80000000, 0, 0));
    SHOW(setattr(AT_FDCWD, "made", 0, 0, 0, 1 << 20));
    show_mount("made");
    SHOW(setattr(AT_FDCWD, "made", 0, 0, 0, 1 << 18));
    show_mount("made");
    SHOW(setattr(AT_FDCWD, "made", 0, 0, 0, (1 << 20) | (1 << 18)));
    SHOW(setattr(AT_FDCWD, "made/before", 0, MOUNT_ATTR_RDONLY, 0, 0));
    SHOW(setattr(AT_FDCWD, "none", 0, MOUNT_ATTR_RDONLY, 0, 0));
    SHOW(setattr(AT_FDCWD, "made", 1, MOUNT_ATTR_RDONLY, 0, 0));
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    SHOW(syscall(SYS_mount_setattr, AT_FDCWD, "made", 0, &attr, 31));
    SHOW(syscall(SYS_mount_setattr, AT_FDCWD, "made", 0, &attr, 5000));
    SHOW(syscall(SYS_mount_setattr, AT_FDCWD, "made", 0, (void *)8, sizeof attr));
    int fd = (int)must("pick", pick(AT_FDCWD, "made", FSPICK_CLOEXEC));
    SHOW(fsconfig_(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    SHOW(mkdir("made/never", 0755));
    close(fd);
    fd = (int)must("pick", pick(AT_FDCWD, "made", 0));
    SHOW(fsconfig_(fd, FSCONFIG_SET_FLAG, "rw", NULL, 0));
    SHOW(fsconfig_(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    SHOW(mkdir("made/now", 0755));
    close(fd);
    SHOW(pick(AT_FDCWD, "made/now", 0));
    SHOW(pick(AT_FDCWD, "made", 0x100));
    SHOW(pick(AT_FDCWD, "none", 0));
    fflush(stdout);
    if (fork() == 0) {
        must("setuid", setuid(1000));
        SHOW(fsopen_("tmpfs", 0));
        SHOW(tree(AT_FDCWD, ".", OPEN_TREE_CLONE));
        SHOW(move(AT_FDCWD, ".", AT_FDCWD, ".", 0));
        SHOW(pick(AT_FDCWD, "/proc", 0));
        SHOW(setattr(AT_FDCWD, "/proc", 0, MOUNT_ATTR_RDONLY, 0, 0));
        exit(0);
    }
    wait(NULL);
}

int main(void) {
    must("unshare", unshare(CLONE_NEWNS));
    must("private", mount("none", "/", NULL, (1 << 14) | (1 << 18), NULL));
    umask(0);
    for (int i = 0; i < 2; i++) must("mkdir", mkdir(i == 0 ? "made" : "moved", 0755));
    for (int i = 0; i < 2; i++) close((int)must("open", open(i == 0 ? "file" : "other", O_CREAT | O_RDWR, 0644)));
    making();
    trees();
    attributes();
    SHOW(umount2("made", 2));
    rmdir("made");
    rmdir("moved");
    unlink("file");
    unlink("other");
    return 0;
}
