#!/usr/bin/env bash
# Checks Kubernetes manifests without a cluster and, once installed, without a network:
# kubeconform (built from its Go module) with the schemas that the PyPI package kubernetes-validate carries.
# Strict: a field that Kubernetes does not know is an error.
# usage: k8s-validate.sh install | check FILE-OR-FOLDER… | kubeconform ARGS…
#   K8S_VERSION  default 1.36 (the package has 1.25 to 1.37)
NAME=k8s-validate
. "$(dirname "$0")/lib.sh"
KUBECONFORM=v0.7.0 SCHEMAS_OF=1.37.0
KUBE="${K8S_VERSION:-1.36}"
SCHEMAS="$HOME_DIR/schemas-$SCHEMAS_OF"

svc_installed() { [ -x "$BIN/kubeconform" ] && [ -f "$SCHEMAS/$KUBE/pod-v1.json" ] && installed_is "$KUBECONFORM"; }
svc_install() {
  need python3
  go_install "github.com/yannh/kubeconform/cmd/kubeconform@$KUBECONFORM"
  rm -rf "$HOME_DIR/pip" "$HOME_DIR/venv"
  python3 -m venv "$HOME_DIR/venv" || die "python3 -m venv failed (Debian: python3-venv)"
  "$HOME_DIR/venv/bin/pip" -q install --no-deps --target "$HOME_DIR/pip" "kubernetes-validate==$SCHEMAS_OF" \
    >"$HOME_DIR/pip.log" 2>&1 || { last_lines "$HOME_DIR/pip.log"; die "pip could not bring kubernetes-validate"; }
  mkdir -p "$SCHEMAS/$KUBE"
  python3 - "$HOME_DIR/pip" "$KUBE" "$SCHEMAS/$KUBE" <<'PYTHON'
"""Makes every schema self-contained: the package keeps all definitions in one file of several MB."""
import json, pathlib, sys

packages, version, target = sys.argv[1:]
source = next(pathlib.Path(packages).glob(f"kubernetes_validate/kubernetes-json-schema/v{version}.*-local-strict"))
load = lambda path: json.loads(path.read_text().replace("/api/_definitions.json#", "#"))
definitions = load(source / "_definitions.json")["$defs"]


def collect(node, found):
    if isinstance(node, dict):
        name = node.get("$ref", "")
        if isinstance(name, str) and name.startswith("#/$defs/") and name[8:] not in found:
            found.add(name[8:])
            collect(definitions[name[8:]], found)
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            collect(child, found)


for path in source.glob("*.json"):
    if path.name in ("_definitions.json", "all.json"):
        continue
    schema, used = load(path), set()
    collect(schema, used)
    schema["$defs"] = {name: definitions[name] for name in sorted(used)}
    (pathlib.Path(target) / path.name).write_text(json.dumps(schema))
PYTHON
  rm -rf "$HOME_DIR/pip" "$HOME_DIR/venv"
  echo "$KUBECONFORM" >"$HOME_DIR/version"
}
case "${1:-}" in
  install) ensure_installed ;;
  check)
    shift
    ensure_installed
    exec "$BIN/kubeconform" -strict -summary \
      -schema-location "$SCHEMAS/$KUBE/{{.ResourceKind}}{{.KindSuffix}}.json" "$@"
    ;;
  kubeconform) shift; ensure_installed; exec "$BIN/kubeconform" "$@" ;;
  --help | -h) usage ;;
  *) usage >&2; exit 2 ;;
esac
