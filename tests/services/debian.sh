# Debian packages, unpacked into the cache and run from there: nothing is installed, no root is needed.
# Sourced behind lib.sh, never run. apt gets a status, lists and a cache of its own, so the machine's
# packages are not touched; programs run by the loader and libraries that were unpacked with them.
#   DEBIAN_MIRROR  where packages come from; default: the machine's own mirror

debian_mirror() {
  local found=""
  [ -z "${DEBIAN_MIRROR:-}" ] || { echo "$DEBIAN_MIRROR"; return; }
  found="$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)"
  [ -n "$found" ] || found="$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^https?:.*debian/) { print $i; exit } }' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true)"
  [ -n "$found" ] || die "found no Debian mirror in /etc/apt; set DEBIAN_MIRROR"
  echo "$found"
}
debian_apt() { # suite folder
  need apt-get dpkg-deb
  local suite="$1" dir="$2"
  mkdir -p "$dir"/{etc/apt.conf.d,etc/preferences.d,etc/sources.list.d,state/lists/partial,cache/archives/partial,log}
  : >"$dir/state/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) $suite main" >"$dir/etc/sources.list"
  cat >"$dir/apt.conf" <<CONF
Dir::Etc "$dir/etc"; Dir::Etc::main "$dir/apt.conf"; Dir::Etc::parts "$dir/etc/apt.conf.d";
Dir::Etc::sourcelist "$dir/etc/sources.list"; Dir::Etc::sourceparts "$dir/etc/sources.list.d";
Dir::Etc::preferences "$dir/etc/preferences"; Dir::Etc::preferencesparts "$dir/etc/preferences.d";
Dir::State "$dir/state"; Dir::State::status "$dir/state/status"; Dir::Cache "$dir/cache"; Dir::Log "$dir/log";
APT::Architecture "$(dpkg --print-architecture)"; APT::Install-Recommends "false"; APT::Sandbox::User "root";
Acquire::Languages "none"; Acquire::Check-Valid-Until "false"; Debug::NoLocking "true"; APT::Get::List-Cleanup "false";
CONF
  APT_CONFIG="$dir/apt.conf" apt-get -qq update >"$dir/log/update" 2>&1 \
    || { last_lines "$dir/log/update"; die "apt-get update failed (log: $dir/log/update)"; }
}
debian_fetch() { # folder package… : with everything that they depend on
  local dir="$1"
  shift
  APT_CONFIG="$dir/apt.conf" apt-get -y --download-only install "$@" >"$dir/log/install" 2>&1 \
    || { last_lines "$dir/log/install"; die "apt-get could not download $* (log: $dir/log/install)"; }
}
debian_fetch_alone() { # folder package… : and nothing else
  local dir="$1"
  shift
  (cd "$dir/cache/archives" && APT_CONFIG="$dir/apt.conf" apt-get -qq download "$@") >"$dir/log/install" 2>&1 \
    || { last_lines "$dir/log/install"; die "apt-get could not download $* (log: $dir/log/install)"; }
}
debian_unpack() { # folder root
  local package
  mkdir -p "$2"
  for package in "$1"/cache/archives/*.deb; do
    case "$(basename "$package")" in
      perl* | libperl* | libgdbm* | libdb5* | libc-gconv* | gcc-*-base*) continue ;;
    esac
    dpkg-deb -x "$package" "$2"
  done
  rm -rf "$2"/usr/share/{doc,man,locale,lintian,perl*,bash-completion} "$2/etc"
  # Suites before trixie keep the loader under /lib.
  if [ -d "$2/lib" ] && [ ! -L "$2/lib" ]; then
    cp -a "$2/lib/." "$2/usr/lib/"
    rm -rf "$2/lib"
  fi
}
debian_program() { # root path-below-usr target : a script at target that runs the program
  local root="$1" program="$1/usr/$2" target="$3" loader
  loader="$(find "$root/usr/lib" -name 'ld-linux*.so.*' -path '*-linux-gnu/*' | head -1)"
  [ -n "$loader" ] || die "the unpacked packages hold no dynamic loader"
  [ -f "$program" ] || die "the unpacked packages hold no $2"
  if [ "$(head -c2 "$program")" = '#!' ]; then
    ln -sf "$program" "$target"
  else
    printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' "$loader" "$(dirname "$loader")" "$program" >"$target"
    chmod +x "$target"
  fi
}
