# `redis.sh NAME` prints `NAME nanoseconds`: what a request takes at the rate that lasts, as redis-benchmark counts them with
# 50 connections. Warming up has a number of seconds, not of requests, so that a slow machine's run ends too.
set -eu
port=6391
warm_up_seconds=4
get() { redis-benchmark -p "$port" -t get -n "$1" -c 50 --csv; }
redis-server --port "$port" --bind 127.0.0.1 --save '' --daemonize yes >/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
  if redis-cli -p "$port" ping >/dev/null 2>&1; then break; fi
  sleep 0.3
done
end=$(($(date +%s) + warm_up_seconds))
while [ "$(date +%s)" -lt "$end" ]; do get 10000 >/dev/null; done
get 30000 | awk -F '"' -v name="$1" '$2 == "GET" { printf "%s %.0f\n", name, 1e9 / $4 }'
redis-cli -p "$port" shutdown nosave || true
