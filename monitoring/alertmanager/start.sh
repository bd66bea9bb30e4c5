#!/bin/sh
# Adds the receivers to alertmanager.yml, logs which are configured, and starts Alertmanager.
# A receiver is configured when its secret is not empty. `render` only prints the configuration.
set -eu

secrets=/run/secrets

stop() {
    echo "alertmanager: $*" >&2
    exit 1
}

warn() {
    echo "alertmanager: WARNING: $*" >&2
}

has() { # true if a secret holds an address
    [ -e "$secrets/$1" ] || return 1
    content=$(tr -d ' \t\r\n' <"$secrets/$1") || stop "the secret $1 cannot be read by user $(id -u)"
    case $content in
        '') return 1 ;;
        http://?* | https://?*) return 0 ;;
        *) stop "the secret $1 is no http address; correct or empty the file, then start again" ;;
    esac
}

plain() { # stops unless a value can stand between quotes
    case $2 in
        *[\'\"\\]*) stop "$1 must not contain quotes or backslashes" ;;
    esac
}

people() { # the integrations of the receivers that notify people
    if has alert_webhook; then
        echo "    webhook_configs:"
        echo "      - {url_file: $secrets/alert_webhook, send_resolved: true}"
    fi
    if has alert_slack; then
        echo "    slack_configs:"
        echo "      - {api_url_file: $secrets/alert_slack, send_resolved: true,"
        echo "         title: '{{ template \"archive.title\" . }}', text: '{{ template \"archive.text\" . }}'}"
    fi
    if has alert_discord; then
        echo "    discord_configs:"
        echo "      - {webhook_url_file: $secrets/alert_discord, send_resolved: true,"
        echo "         title: '{{ template \"archive.title\" . }}', message: '{{ template \"archive.text\" . }}'}"
    fi
    if [ -n "${ALERT_EMAIL_TO:-}" ]; then
        echo "    email_configs:"
        echo "      - {to: '$ALERT_EMAIL_TO', from: '$ALERT_EMAIL_FROM', smarthost: '$ALERT_SMTP_HOST', send_resolved: true,"
        echo "         headers: {Subject: '{{ template \"archive.title\" . }}'}, text: '{{ template \"archive.text\" . }}', html: '',"
        if [ -s "$secrets/alert_smtp_password" ]; then
            echo "         auth_username: '${ALERT_SMTP_USER:-$ALERT_EMAIL_FROM}', auth_password_file: $secrets/alert_smtp_password,"
        fi
        echo "         require_tls: ${ALERT_SMTP_TLS:-true}}"
    fi
}

watchdog() {
    if has alert_watchdog; then
        echo "    webhook_configs:"
        echo "      - {url_file: $secrets/alert_watchdog, send_resolved: false}"
    fi
}

if [ -n "${ALERT_EMAIL_TO:-}" ]; then
    [ -n "${ALERT_EMAIL_FROM:-}" ] || stop "ALERT_EMAIL_TO needs ALERT_EMAIL_FROM: the sender's address"
    case ${ALERT_SMTP_HOST:-} in
        ?*:?*) ;;
        *) stop "ALERT_EMAIL_TO needs ALERT_SMTP_HOST: the mail server, as host:port" ;;
    esac
    case ${ALERT_SMTP_TLS:-true} in
        true | false) ;;
        *) stop "ALERT_SMTP_TLS is '$ALERT_SMTP_TLS'; give true or false" ;;
    esac
    for value in "$ALERT_EMAIL_TO" "$ALERT_EMAIL_FROM" "$ALERT_SMTP_HOST" "${ALERT_SMTP_USER:-}"; do
        plain "ALERT_EMAIL_* and ALERT_SMTP_*" "$value"
    done
fi
people=$(people)
watchdog=$(watchdog)
config=$(cat /etc/alertmanager/alertmanager.yml && printf '\nreceivers:\n  - name: critical\n%s\n  - name: warning\n%s\n  - name: watchdog\n%s\n' "$people" "$people" "$watchdog")

if [ "${1:-}" = render ]; then
    printf '%s\n' "$config"
    exit
fi
if [ -n "$people" ]; then
    echo "alertmanager: alerts are sent by $(printf '%s\n' "$people" | sed -n 's/^ *\([a-z]*\)_configs:$/\1/p' | tr '\n' ' ')" >&2
else
    warn "NO ALERT IS SENT to anybody: write an address into secrets/alert_webhook, alert_slack or alert_discord, or set ALERT_EMAIL_TO"
fi
[ -n "$watchdog" ] || warn "NO DEAD MAN'S SWITCH: if this machine fails, nobody is notified; write its address into secrets/alert_watchdog"
printf '%s\n' "$config" >/tmp/alertmanager.yml
exec alertmanager --config.file=/tmp/alertmanager.yml "$@"
