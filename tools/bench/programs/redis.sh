# `redis.sh NAME` prints `NAME nanoseconds`: what a request takes, as redis-benchmark counts them with 50 connections.
set -eu
port=6391
redis-server --port "$port" --bind 127.0.0.1 --save '' --daemonize yes >/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
  if redis-cli -p "$port" ping >/dev/null 2>&1; then break; fi
  sleep 0.3
done
redis-benchmark -p "$port" -t get -n 30000 -c 50 --csv |
  awk -F '"' -v name="$1" '$2 == "GET" { printf "%s %.0f\n", name, 1e9 / $4 }'
redis-cli -p "$port" shutdown nosave || true
