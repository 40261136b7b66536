#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char *heap;
static volatile int magic_number = 0x1234567;
static void *idle(void *argument) { (void)argument; pause(); return NULL; }
static __attribute__((noinline)) int innermost(int depth) { magic_number++; *(volatile int *)(long)(depth * 16) = 7; return depth; }
static __attribute__((noinline)) int outer(int depth) { return innermost(depth + 1) + 1; }
int main(void) {
    pthread_t thread;
    heap = malloc(5000);
    strcpy(heap, "on the heap");
    pthread_create(&thread, NULL, idle, NULL);
    usleep(20000);
    return outer(1);
}
