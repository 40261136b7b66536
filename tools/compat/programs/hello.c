#include <stdio.h>
#include <stdlib.h>
#include <math.h>

int main(int argc, char **argv) {
    double *values = malloc(100000 * sizeof *values);
    double sum = 0;
    for (int i = 0; i < 100000; i++) values[i] = i * 0.5;
    for (int i = 0; i < 100000; i++) sum += values[i];
    printf("argc %d, last %s, sum %.1f\n", argc, argv[argc - 1], sum);
    free(values);
    return 9;
}
