/* The unified hierarchy, cgroups(7): core files, moves, freezing, killing, namespaces, CLONE_INTO_CGROUP and errors. */
#include "show.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static char group[40];

static long write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    if (fd < 0) return -1;
    long result = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

static void cat(const char *path) {
    char text[4096];
    int fd = open(path, O_RDONLY);
    long len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (len < 0) printf("%s: %s\n", path, strerrorname_np(errno));
    else printf("%s: %.*s", path, (int)len, text);
    if (len == 0) printf("\n");
    fflush(stdout);
    close(fd);
}

static int count_lines(const char *path) {
    char text[65536];
    int fd = open(path, O_RDONLY), count = 0;
    long len = fd < 0 ? -1 : read(fd, text, sizeof text);
    for (long i = 0; i < len; i++) count += text[i] == '\n';
    close(fd);
    return count;
}

/* The cgroup of `pid`, from the part that this program has made on. */
static void show_group(int pid) {
    char path[50], text[400] = "";
    sprintf(path, "/proc/%d/cgroup", pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(text, sizeof text, file) != NULL && strncmp(text, "0::", 3) != 0) continue;
    char *name = strstr(text, group);
    printf("in %s", name == NULL ? text : name + strlen(group));
    fflush(stdout);
    if (file != NULL) fclose(file);
}

static int wait_for(const char *path, const char *text) {
    for (int i = 0; i < 2000; i++) {
        char content[200] = "";
        int fd = open(path, O_RDONLY);
        if (fd >= 0 && read(fd, content, sizeof content - 1) > 0 && strstr(content, text) != NULL) {
            close(fd);
            return 1;
        }
        close(fd);
        usleep(2000);
    }
    return 0;
}

static int start_child(void) {
    fflush(stdout);
    int pid = must("fork", fork());
    if (pid == 0) {
        for (;;) pause();
    }
    return pid;
}

static void files(void) {
    SHOW(mkdir("a", 0700));
    struct stat st;
    must("stat", stat("a", &st));
    printf("mode %o\n", st.st_mode);
    must("stat", stat("a/cgroup.procs", &st));
    printf("mode %o size %ld\n", st.st_mode, (long)st.st_size);
    must("stat", stat("a/cgroup.kill", &st));
    printf("mode %o\n", st.st_mode);
    struct statfs fs;
    must("statfs", statfs("a", &fs));
    printf("type %lx\n", (unsigned long)fs.f_type);
    SHOW(mkdir("a", 0700));
    SHOW(mkdir("a/new\nline", 0700));
    SHOW(mkdir("a/b", 0755));
    SHOW(rmdir("a"));
    SHOW(unlink("a/cgroup.procs"));
    SHOW(open("a/file", O_CREAT | O_RDWR, 0600));
    SHOW(symlink("x", "a/link"));
    SHOW(rename("a/b", "a/c"));
    cat("a/cgroup.events");
    cat("a/cgroup.freeze");
    cat("a/cgroup.kill");
    cat("a/cgroup.type");
    cat("a/cgroup.procs");
    cat("a/cgroup.max.depth");
    cat("a/cgroup.max.descendants");
    cat("a/cgroup.subtree_control");
    SHOW(write_file("a/cgroup.subtree_control", "+nothing"));
    SHOW(write_file("a/cgroup.subtree_control", "memory"));
    SHOW(write_file("a/cgroup.events", "x"));
    SHOW(write_file("a/cgroup.freeze", "2"));
    SHOW(write_file("a/cgroup.freeze", "x"));
    SHOW(write_file("a/cgroup.kill", "0"));
    SHOW(write_file("a/cgroup.kill", "x"));
    SHOW(write_file("a/cgroup.procs", "x"));
    SHOW(write_file("a/cgroup.procs", "-1"));
    SHOW(write_file("a/cgroup.procs", "4194303"));
    SHOW(write_file("a/cgroup.max.descendants", "1"));
    SHOW(mkdir("a/c", 0755));
    SHOW(write_file("a/cgroup.max.descendants", "max"));
    SHOW(write_file("a/cgroup.max.depth", "1"));
    SHOW(mkdir("a/b/c", 0755));
    SHOW(write_file("a/cgroup.max.depth", "-1"));
    SHOW(write_file("a/cgroup.max.depth", "x"));
    cat("a/cgroup.max.depth");
    SHOW(write_file("a/cgroup.max.depth", "max"));
    SHOW(rmdir("a/b"));
    SHOW(rmdir("a/b"));
}

static void moves(void) {
    int child = start_child();
    char pid[20];
    sprintf(pid, "%d\n", child);
    must("mkdir", mkdir("a/b", 0755));
    int notify = must("inotify", inotify_init1(IN_NONBLOCK));
    SHOW(inotify_add_watch(notify, "a/cgroup.events", IN_MODIFY));
    SHOW(write_file("a/b/cgroup.procs", pid) > 1);
    struct pollfd poll_fd = {.fd = notify, .events = POLLIN};
    SHOW(poll(&poll_fd, 1, 5000));
    close(notify);
    show_group(child);
    cat("a/cgroup.events");
    printf("%d %d %d\n", count_lines("a/cgroup.procs"), count_lines("a/b/cgroup.procs"), count_lines("a/b/cgroup.threads"));
    SHOW(rmdir("a/b"));
    SHOW(write_file("a/b/cgroup.freeze", "1"));
    SHOW(wait_for("a/b/cgroup.events", "frozen 1"));
    kill(child, SIGTERM);
    int status, ended = 0;
    for (int i = 0; i < 2500 && ended == 0; i++) {
        usleep(2000);
        ended = waitpid(child, &status, WNOHANG);
    }
    SHOW(ended == child);
    SHOW(write_file("a/b/cgroup.freeze", "0"));
    SHOW(waitpid(child, &status, 0) == child);
    printf("signal %d\n", WTERMSIG(status));
    SHOW(wait_for("a/b/cgroup.events", "populated 0"));
    child = start_child();
    sprintf(pid, "%d", child);
    write_file("a/b/cgroup.procs", pid);
    write_file("a/cgroup.freeze", "1");
    SHOW(wait_for("a/b/cgroup.events", "frozen 1"));
    SHOW(write_file("a/cgroup.kill", "1"));
    SHOW(waitpid(child, &status, 0) == child);
    printf("signal %d\n", WTERMSIG(status));
    write_file("a/cgroup.freeze", "0");
    fflush(stdout);
    child = fork();
    if (child == 0) {
        SHOW(write_file("a/b/cgroup.procs", "0"));
        show_group(getpid());
        int grandchild = start_child();
        show_group(grandchild);
        kill(grandchild, SIGKILL);
        waitpid(grandchild, NULL, 0);
        must("unshare", unshare(CLONE_NEWCGROUP));
        show_group(getpid());
        char path[50];
        sprintf(path, "/proc/%d/cgroup", getppid());
        FILE *file = fopen(path, "r");
        char text[200] = "";
        while (fgets(text, sizeof text, file) != NULL && strncmp(text, "0::", 3) != 0) continue;
        printf("the parent is at %s", strncmp(text, "0::/..", 6) == 0 ? "0::/..\n" : text);
        mkdir("/tmp/seen", 0755);
        SHOW(mount("none", "/tmp/seen", "cgroup2", 0, NULL));
        printf("%d\n", count_lines("/tmp/seen/cgroup.procs"));
        SHOW(access("/tmp/seen/cgroup.freeze", F_OK));
        SHOW(mkdir("/tmp/seen/inside", 0755));
        SHOW(access("a/b/inside", F_OK));
        SHOW(rmdir("a/b/inside"));
        umount("/tmp/seen");
        rmdir("/tmp/seen");
        exit(0);
    }
    waitpid(child, &status, 0);
    SHOW(status);
    fflush(stdout);
    must("mkdir", mkdir("a/d", 0755));
    int fd = must("open", open("a/d", O_RDONLY | O_DIRECTORY));
    struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (unsigned)fd};
    child = (int)must("clone3", syscall(SYS_clone3, &args, sizeof args));
    if (child == 0) {
        show_group(getpid());
        exit(0);
    }
    waitpid(child, NULL, 0);
    args.cgroup = 0;
    SHOW(syscall(SYS_clone3, &args, sizeof args));
    SHOW(rmdir("a/b"));
    SHOW(rmdir("a/d"));
    args.cgroup = (unsigned)fd;
    SHOW(syscall(SYS_clone3, &args, sizeof args));
    close(fd);
    child = fork();
    if (child == 0) {
        must("chown", chown("a", 1000, 1000));
        must("setuid", setuid(1000));
        SHOW(write_file("a/cgroup.procs", "0"));
        SHOW(mkdir("a/own", 0755));
        SHOW(write_file("a/own/cgroup.max.depth", "3"));
        SHOW(write_file("a/own/cgroup.procs", "0"));
        exit(0);
    }
    waitpid(child, NULL, 0);
    SHOW(rmdir("a/own"));
}

int main(void) {
    must("unshare", unshare(CLONE_NEWNS));
    must("private", mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    mkdir("mnt", 0755);
    must("mount", mount("none", "mnt", "cgroup2", 0, NULL));
    sprintf(group, "compat-%d", getpid());
    char path[100];
    sprintf(path, "mnt/%s", group);
    must("mkdir", mkdir(path, 0755));
    must("chdir", chdir(path));
    files();
    moves();
    SHOW(rmdir("a"));
    chdir("..");
    rmdir(group);
    chdir("..");
    umount("mnt");
    rmdir("mnt");
    return 0;
}
