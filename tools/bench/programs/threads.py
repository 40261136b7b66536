"""Four threads that take from one queue and give to another: what the interpreter's lock does with futexes."""
import queue
import threading

todo: "queue.Queue[int | None]" = queue.Queue(8)
done: "queue.Queue[int]" = queue.Queue(8)


def work() -> None:
    for number in iter(todo.get, None):
        done.put(number * number)


workers = [threading.Thread(target=work) for _ in range(4)]
for worker in workers:
    worker.start()


def feed() -> None:
    for number in range(20000):
        todo.put(number)
    for _ in workers:
        todo.put(None)


feeder = threading.Thread(target=feed)
feeder.start()
print(sum(done.get() for _ in range(20000)))
for thread in [feeder, *workers]:
    thread.join()
