#!/usr/bin/env python3
"""check_docs.py FILE.md... - compiles the C and C++ blocks of the manual, and compares what they print with the page.

BELAY_PREFIX is where Belay is installed. A block with `int main(` is a whole program. Any other is a fragment: what
begins in the first column with static, typedef, enum or struct goes before main, the rest into the frame that
docs/README.md shows. The ```text block that follows is what it prints; white space is not compared, as long lines are
folded there. `c wont-compile` must not compile, `c noframe` is compiled only.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PREFIX = os.environ["BELAY_PREFIX"]

FRAME = """#include <stdio.h>

#include <belay/belay.h>

/*OUTER*/
int main(void)
{
    belay_db *db = belay_open("sqlite::memory:", NULL);
    belay_session *s = belay_session_open(db);

    belay_exec(s, "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))");
    belay_exec(s, "INSERT INTO account (id, balance) VALUES (1, 100), (2, 0)");
    belay_exec(s, "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT UNIQUE)");
    {
/*INNER*/
    }
#line 1 "frame.c"
    belay_session_close(s);
    belay_close(db);
    return 0;
}
"""


def read_blocks(text):
    """(language, rest of the line, content, line number, start, end) of every fenced block."""
    found = []
    for m in re.finditer(r"^```(\S*)([^\n]*)\n(.*?)^```$", text, re.M | re.S):
        found.append((m.group(1), m.group(2).strip(), m.group(3), text[:m.start()].count("\n") + 2, m.start(), m.end()))
    return found


def split_fragment(code):
    """What goes before main and what into it, each line with its number in the block."""
    lines = code.split("\n")
    outer, inner, i = [], [], 0
    while i < len(lines):
        line, last = lines[i], i
        is_definition = re.match(r"(static|typedef|enum|struct) ", line) and not re.match(r"static .*;$", line)
        if is_definition and not line.rstrip().endswith(";"):
            while not re.match(r"^\}.*;?$", lines[last]):
                last += 1
        if is_definition or line.startswith("#include"):
            outer.append(f'#line {i + 1} "fragment.c"\n' + "\n".join(lines[i:last + 1]))
        elif line.strip():
            inner.append(f'#line {i + 1} "fragment.c"\n{line}')
        i = last + 1
    return "\n".join(outer), "\n".join(inner)


def write_source(folder, language, code):
    path = pathlib.Path(folder) / f"block.{language}"
    if re.search(r"\bint main\(", code):
        path.write_text(f'#line 1 "program.{language}"\n{code}')
    else:
        outer, inner = split_fragment(code)
        path.write_text(FRAME.replace("/*OUTER*/", outer).replace("/*INNER*/", inner))
    return path


def compile_source(path):
    compiler = ["gcc", "-std=c11"] if path.suffix == ".c" else ["g++", "-std=c++17"]
    return subprocess.run(
        compiler + ["-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-fexceptions",
                    f"-I{PREFIX}/include", "-o", str(path.with_suffix("")), str(path), f"-L{PREFIX}/lib", "-lbelay",
                    "-lsqlite3", "-pthread", f"-Wl,-rpath,{PREFIX}/lib"], capture_output=True, text=True)


def expected_output(text, blocks, n):
    """The text block right behind the n-th one, if there is one."""
    if n + 1 == len(blocks) or blocks[n + 1][0] != "text":
        return None
    between = text[blocks[n][5]:blocks[n + 1][4]].strip()
    return blocks[n + 1][2] if len(between) < 120 and not re.search(r"^#", between, re.M) else None


def check_block(text, blocks, n):
    """What is wrong with the n-th block, or None."""
    language, info, code = blocks[n][:3]
    with tempfile.TemporaryDirectory() as folder:
        path = write_source(folder, language, code)
        compiled = compile_source(path)
        if "wont-compile" in info:
            return None if compiled.returncode else "compiles, but should not"
        if compiled.returncode:
            return "does not compile\n" + compiled.stderr[:1500]
        if "noframe" in info:
            return None
        ran = subprocess.run([str(path.with_suffix(""))], capture_output=True, text=True, cwd=folder, timeout=60)
    got, want = ran.stdout + ran.stderr, expected_output(text, blocks, n)
    if ran.returncode:
        return f"exits with {ran.returncode}\n{got}"
    if (want or "").split() != got.split():
        return f"prints\n{got}--- and the page says\n{want}---"
    return None


def main():
    passed = failed = 0
    for name in sys.argv[1:]:
        text = pathlib.Path(name).read_text()
        blocks = read_blocks(text)
        for n, block in enumerate(blocks):
            if block[0] not in ("c", "cpp"):
                continue
            wrong = check_block(text, blocks, n)
            passed, failed = passed + (wrong is None), failed + (wrong is not None)
            if wrong:
                print(f"{name}:{block[3]}: {wrong}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
