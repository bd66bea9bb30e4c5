#!/bin/sh
# Stands for systemctl where there is no systemd: logs its arguments, runs what can run, and fails as it would.
# Understood: ssh and docker as the daemons they are, and oneshot units by their ExecStart lines.
set -u
LOG=/var/log/systemctl.log
printf '%s\n' "$*" >>"$LOG"

verb='' units='' now=''
for word in "$@"; do
    case "$word" in
        --now) now=yes ;;
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$word; else units="$units ${word%.service}"; fi ;;
    esac
done

file_of() {
    for folder in /etc/systemd/system /usr/lib/systemd/system; do
        for name in "$1" "$1.service"; do
            [ -f "$folder/$name" ] && { echo "$folder/$name"; return 0; }
        done
    done
    echo "Failed to $verb $1: Unit $1 not found." >&2
    return 1
}

docker_stops() {
    [ -s /run/docker.pid ] || return 0
    pid=$(cat /run/docker.pid)
    kill "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

docker_starts() {
    docker version >/dev/null 2>&1 && return 0
    # shellcheck disable=SC2046 # one option a line, none with a blank
    setsid dockerd $(cat /run/fake-vm/dockerd-options) >>/var/log/dockerd.log 2>&1 </dev/null &
    tries=0
    until docker version >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || { tail -n 20 /var/log/dockerd.log >&2; return 1; }
        sleep 0.1
    done
}

runs_oneshot() {
    grep -q '^Type=oneshot' "$1" || return 0
    sed -n 's/^ExecStart=-\{0,1\}//p' "$1" | while IFS= read -r line; do sh -c "$line" </dev/null || exit 1; done
}

acts() {
    case "$verb $1" in
        "start docker") docker_starts ;;
        "stop docker") docker_stops ;;
        "restart docker") docker_stops && docker_starts ;;
        "start ssh") [ -s /run/sshd.pid ] || /usr/sbin/sshd ;;
        "reload ssh" | "restart ssh" | "reload-or-restart ssh") kill -HUP "$(cat /run/sshd.pid)" ;;
        "is-active docker") docker version >/dev/null 2>&1 ;;
        *)
            file=$(file_of "$1") || return 5
            case "$verb" in
                start | restart) runs_oneshot "$file" ;;
                enable) [ -z "$now" ] || runs_oneshot "$file" ;;
            esac
            ;;
    esac
}

case "$verb" in
    daemon-reload | "") exit 0 ;;
    mask | disable) exit 0 ;;
esac
for unit in $units; do acts "$unit" || exit $?; done
