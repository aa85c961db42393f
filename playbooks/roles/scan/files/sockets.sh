part connections; connections
part listeners
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { print "tcp", $2 }'
cat /proc/net/udp /proc/net/udp6 2>/dev/null | awk '$4 == "07" && $3 ~ /:0000$/ { print "udp", $2 }'
part programs
if has ss; then ss -lntup; else netstat -lntup; fi 2>/dev/null
