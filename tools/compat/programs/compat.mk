objects = part1.o part2.o part3.o

prog: $(objects)
	gcc -o $@ $^

part1.c:
	echo '#include <stdio.h>' > $@
	echo 'int two(void); int three(void); int main(void) { putchar(48 + two() + three()); putchar(10); return 0; }' >> $@

part2.c:
	echo 'int two(void) { return 2; }' > $@

part3.c:
	echo 'int three(void) { return 3; }' > $@

%.o: %.c
	gcc -c -O1 -o $@ $<

clean:
	rm -f prog $(objects) part1.c part2.c part3.c
