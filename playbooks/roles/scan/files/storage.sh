part mounts; cat /proc/mounts
part filesystems; patient 60 df -PkTl 2>/dev/null || patient 60 df -Pkl
# What is not the operating system's: every other folder of the root, and where data is by custom.
# Another file system than the root's is measured by itself, from what `df` says.
places=
for place in /*; do
  case $place in
    /bin | /boot | /dev | /etc | /lib* | /lost+found | /media | /mnt | /proc | /run | /sbin | /snap | /sys | /tmp | /usr | /var) ;;
    *) if [ -d "$place" ] && [ ! -L "$place" ]; then places="$places $place"; fi ;;
  esac
done
for place in /usr/local /var/www /var/mail /var/lib/postgresql /var/lib/pgsql /var/lib/mysql /var/lib/mongodb /var/lib/mongo /var/lib/redis /var/lib/docker/volumes; do
  if [ -d "$place" ] && [ ! -L "$place" ]; then places="$places $place"; fi
done
for place in $places; do
  part place "$place"
  patient 300 find "$place" -xdev -type f -printf '%n %i %k %s %T@\n' 2>/dev/null |
    awk -v since="$(($(date +%s) - 86400))" '
      $1 > 1 && linked[$2]++ { next } # Another name of a file that was counted.
      { used += $3 } $5 > since { changed += $4 }
      END { printf "used %.0f\nchanged %.0f\n", used, changed }'
  if [ -n "$(patient 5 find "$place" -prune ! -readable 2>/dev/null)" ]; then echo denied; fi
done
