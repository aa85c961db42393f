# Counters, again and again: of the processors since boot, of memory, and who is connected.
number=0
while :; do
  part sample "$(date +%s)"
  head -n 1 /proc/stat
  grep -E '^(MemTotal|MemFree|MemAvailable|Buffers|Cached):' /proc/meminfo
  part connections; connections
  number=$((number + 1))
  [ "$number" -ge "$samples" ] && break
  sleep "$every"
done
