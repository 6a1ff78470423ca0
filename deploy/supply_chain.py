"""What is built on: known weaknesses, licences, a bill of materials, secrets in the tree. `make supply-chain`.

Ends with 1 if something was found. What cannot be asked for – the advisories need the network – is said,
and is no failure.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements" / "base.txt"
BASELINE: Final = ROOT / ".secrets.baseline"
# Hashes, vectors, and tests, whose keys and passwords are made up.
EXCEPT: Final = (":!requirements", ":!*.npz", ":!tests", ":!.secrets.baseline")
BIN: Final = Path(sys.executable).parent
# Copyleft that reaches whoever serves it over a network, or all that is linked with it.
REFUSED: Final = ("AGPL", "GNU Affero", "GPLv2", "GPLv3", "GNU General Public License", "SSPL")
# Licences that name one of those beside another that is ours to choose, or that does not reach us.
ALLOWED: Final = {
    "text-unidecode": "Artistic License or GPL: the former",
    "docutils": "public domain, and GPL for an Emacs file that is not used",
}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment."""
    return subprocess.run(  # noqa: S603
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )


def audit() -> list[str]:
    """Return known weaknesses of what the lock names."""
    done = run(
        *("pip-audit", "--requirement", LOCK, "--no-deps", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off", "--timeout", "10"),
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    known = [package for package in packages if "vulns" in package]
    if not known:
        print("advisories: no database could be reached; NOT audited")
        return []
    found = [
        f"{package['name']} {package['version']}: {weakness['id']}"
        for package in known
        for weakness in package["vulns"]
    ]
    print(
        f"advisories: {len(known)} of {len(packages)} packages asked about, {len(found)} weaknesses"
    )
    return found


def licences(target: Path) -> list[str]:
    """Write the licences of all that is installed; return those that are refused."""
    packages = json.loads(run("pip-licenses", "--format", "json").stdout)
    target.write_text(json.dumps(packages, indent=2), encoding="utf-8")
    refused = [
        f"{package['Name']}: {package['License']}"
        for package in packages
        if any(word in package["License"] for word in REFUSED)
        and "Lesser" not in package["License"]
        and package["Name"] not in ALLOWED
    ]
    print(f"licences: {len(packages)} packages in {target}, {len(refused)} refused")
    return refused


def materials(target: Path) -> list[str]:
    """Write the bill of materials of what the lock names (CycloneDX)."""
    done = run("cyclonedx-py", "requirements", LOCK, "--output-file", target)
    if done.returncode:
        return [done.stderr.strip().splitlines()[-1]]
    print(f"materials: {len(json.loads(target.read_text())['components'])} components in {target}")
    return []


def secrets(copy: Path) -> list[str]:
    """Return what looks like a secret in a file of the tree and is not in the baseline.

    The baseline is used by its copy: where known ones stand on other lines than before, it is written anew.
    """
    shutil.copy(BASELINE, copy)
    files = subprocess.run(  # noqa: S603
        ["git", "ls-files", "-z", *EXCEPT],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    done = run("detect-secrets-hook", "--baseline", copy, *filter(None, files))
    found = [line.strip() for line in done.stdout.splitlines() if line.startswith("Location:")]
    print(f"secrets: {len(files) - 1} files, {len(found)} suspicions beyond {BASELINE.name}")
    moved = 3
    return found or ([done.stdout + done.stderr] if done.returncode not in (0, moved) else [])


def main() -> int:
    """Run all four."""
    target = ROOT / "var"
    target.mkdir(exist_ok=True)
    found = [
        *audit(),
        *licences(target / "licences.json"),
        *materials(target / "sbom.cdx.json"),
        *secrets(target / BASELINE.name),
    ]
    for line in found:
        print(f"  {line}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
