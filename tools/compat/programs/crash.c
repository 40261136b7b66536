#include <stdio.h>

int main(void) {
    volatile int *nothing = (int *)8;
    printf("before\n");
    fflush(stdout);
    *nothing = 1;
    printf("after\n");
    return 0;
}
