#!/bin/sh
# Install the panel, its pages and their services on a Raspberry Pi, under systemd:
#
#     sudo deploy/pi/install.sh
#
# It may be run again, to bring all of it up to date; what is in /etc/matrix stays as it is.
#   /opt/matrix   the program, root's own: what runs as root must not be anybody else's to change
#   /etc/matrix   matrix.toml, pages and services of your own, and environment for what only they
#                 may read
# Two users, neither of whom can log in: matrix fetches and draws, matrix-panel lights.
set -eu

# The bindings have no releases. A commit that is known to work can be named here.
: "${RGBMATRIX_REF:=master}"
: "${MATRIX_PREFIX:=/opt/matrix}"

main() {
    [ "$(id -u)" -eq 0 ] || fail "run it as root: sudo $0"
    here=$(cd "$(dirname "$0")" && pwd)
    model=$(tr -d '\0' 2> /dev/null < /proc/device-tree/model) || model=
    case $model in
        "Raspberry Pi 5"*) driver=piomatter ;;
        "Raspberry Pi"*) driver=rgbmatrix ;;
        *) fail "this is no Raspberry Pi" ;;
    esac
    say "$model: $driver"
    install_packages
    make_users
    install_program "$here/../.."
    configure
    start
}

install_packages() {
    apt-get update -qq
    set -- python3-venv
    [ "$driver" = piomatter ] || set -- "$@" python3-dev build-essential cmake git
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

make_users() {
    for user in matrix matrix-panel; do
        id -u "$user" > /dev/null 2>&1 ||
            useradd --system --user-group --no-create-home --shell /usr/sbin/nologin "$user"
    done
}

install_program() {
    [ -x "$MATRIX_PREFIX/bin/python" ] || python3 -m venv "$MATRIX_PREFIX"
    set -- --constraint "$1/constraints.txt" "$1[services,panel]"
    if [ "$driver" = piomatter ]; then
        set -- "$@" Adafruit-Blinka-Raspberry-Pi5-Piomatter
    else
        bindings=https://github.com/hzeller/rpi-rgb-led-matrix
        set -- "$@" "rgbmatrix @ git+$bindings@$RGBMATRIX_REF"
        say "building the bindings, which takes some minutes"
    fi
    "$MATRIX_PREFIX/bin/python" -m pip --quiet --disable-pip-version-check install --upgrade "$@"
}

configure() {
    install -d -m 0750 -g matrix /etc/matrix
    install -d -m 0700 -o matrix -g matrix /etc/matrix/.matrix
    if [ ! -e /etc/matrix/matrix.toml ]; then
        (umask 027 && cat > /etc/matrix/matrix.toml) << END
[panel]
driver = "$driver"
rows = 64
cols = 64
chain_length = 2
hardware_mapping = "adafruit-hat"
brightness = 60
user = "matrix-panel"
socket = "/run/matrix-panel/panel.sock"

[[page]]
use = "clock"
END
        chgrp matrix /etc/matrix/matrix.toml
    fi
    if [ "$driver" = rgbmatrix ]; then
        # Sound and the LEDs need the same hardware for their timing.
        echo "blacklist snd_bcm2835" > /etc/modprobe.d/matrix-panel.conf
    fi
    for unit in matrix-panel matrix-show matrix-serve; do
        sed "s|/opt/matrix/|$MATRIX_PREFIX/|" "$here/$unit.service" > "/etc/systemd/system/$unit.service"
    done
}

start() {
    systemctl daemon-reload
    systemctl enable --quiet matrix-panel matrix-show
    systemctl try-restart matrix-panel matrix-show matrix-serve  # that run what was there before
    say "installed. Now"
    say "  1. say in /etc/matrix/matrix.toml how large the panel is, and which pages it shows;"
    say "  2. try the LEDs: sudo systemctl stop matrix-panel &&"
    say "     sudo MATRIX_TOML=/etc/matrix/matrix.toml $MATRIX_PREFIX/bin/matrix panel --test"
    say "  3. start both: sudo systemctl restart matrix-panel matrix-show"
    say "What pages show but the time, a service fetches: deploy/pi/README.md has the weather."
    if [ "$driver" = rgbmatrix ]; then
        say "Restart the Pi once: sound is off from then on. Against flicker, add isolcpus=3 to the"
        say "line in /boot/firmware/cmdline.txt first: one core is then the LEDs' alone."
    fi
}

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

main
