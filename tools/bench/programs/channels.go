// A ball between two goroutines, and then numbers from four to one: what the scheduler of Go does with futexes.
package main

import "fmt"

func main() {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for ball := range ping {
			pong <- ball + 1
		}
		close(pong)
	}()
	ball := 0
	for i := 0; i < 200000; i++ {
		ping <- ball
		ball = <-pong
	}
	close(ping)

	numbers := make(chan int, 16)
	done := make(chan bool)
	for w := 0; w < 4; w++ {
		go func() {
			for i := 0; i < 50000; i++ {
				numbers <- i
			}
			done <- true
		}()
	}
	go func() {
		for w := 0; w < 4; w++ {
			<-done
		}
		close(numbers)
	}()
	sum := 0
	for n := range numbers {
		sum += n
	}
	fmt.Println(ball, sum)
}
