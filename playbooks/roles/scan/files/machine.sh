part uname; uname -srm
part hostname; uname -n
part os-release; cat /etc/os-release 2>/dev/null
part release; cat /etc/centos-release /etc/redhat-release /etc/kylin-release /etc/debian_version 2>/dev/null | head -n 1
part cpus; grep -c '^processor' /proc/cpuinfo
part model; grep -m 1 -E '^(model name|Model Name|Hardware)' /proc/cpuinfo
part memory; grep '^MemTotal' /proc/meminfo
part vendor; cat /sys/class/dmi/id/sys_vendor 2>/dev/null
part product; cat /sys/class/dmi/id/product_name 2>/dev/null
part virtual; if has systemd-detect-virt; then systemd-detect-virt; fi
part disks
for disk in /sys/block/*; do
  case ${disk##*/} in loop* | ram* | zram* | sr* | dm-* | md* | fd* | nbd*) continue ;; esac
  read -r size <"$disk/size" && echo "${disk##*/} $size"
done
part addresses
if has ip; then ip -o addr show; else ifconfig -a; fi
part uptime; cat /proc/uptime
