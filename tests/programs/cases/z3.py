# SPDX-License-Identifier: MIT
"""z3: problems of several theories, of which the answers are known."""
from harness import Failure

NEEDS = {"z3": "z3"}
SERVED = ("z3",)


def pigeons(count):
    """More pigeons than holes: unsatisfiable."""
    lines = [f"(declare-const p{i}h{j} Bool)" for i in range(count + 1) for j in range(count)]
    for i in range(count + 1):
        lines.append("(assert (or " + " ".join(f"p{i}h{j}" for j in range(count)) + "))")
        lines += [f"(assert (not (and p{i}h{j} p{k}h{j})))" for k in range(i) for j in range(count)]
    return lines


def queens(count):
    """Satisfiable; z3 checks the model that it found."""
    lines = [f"(declare-const q{i} Int) (assert (and (<= 1 q{i}) (<= q{i} {count})))"
             for i in range(count)]
    for i in range(count):
        for k in range(i):
            lines += [f"(assert (not (= q{i} q{k})))",
                      f"(assert (not (= (+ q{i} {i - k}) q{k})))",
                      f"(assert (not (= (- q{i} {i - k}) q{k})))"]
    return lines


def product(value, bits):
    """Two factors of a number, each shorter than half of the bits, by bit vectors."""
    lines = [f"(declare-const a (_ BitVec {bits})) (declare-const b (_ BitVec {bits}))",
             f"(assert (= (bvmul a b) (_ bv{value} {bits})))"]
    for name in "ab":
        lines.append(f"(assert (bvugt {name} (_ bv1 {bits})))")
        lines.append(f"(assert (bvult {name} (_ bv{1 << bits // 2} {bits})))")
    return lines


def stores(count):
    """Writes to an array in two orders make the same array: to deny it is unsatisfiable."""
    lines = ["(declare-const m (Array Int Int))"]
    lines += [f"(declare-const i{n} Int) (declare-const v{n} Int)" for n in range(count)]
    lines.append("(assert (distinct " + " ".join(f"i{n}" for n in range(count)) + "))")

    def written(order):
        text = "m"
        for n in order:
            text = f"(store {text} i{n} v{n})"
        return text
    lines.append(f"(assert (not (= {written(range(count))} {written(reversed(range(count)))})))")
    return lines


GROUP = ["(declare-sort E 0) (declare-fun f (E E) E) (declare-fun g (E) E) (declare-const e E)",
         "(assert (forall ((x E) (y E) (z E)) (= (f (f x y) z) (f x (f y z)))))",
         "(assert (forall ((x E)) (and (= (f e x) x) (= (f (g x) x) e))))",
         "(declare-const a E) (assert (not (= (f a (g a)) e)))"]
STRINGS = ["(declare-const s String) (declare-const t String)",
           '(assert (= (str.++ s "ab" t) (str.++ t "ba" s)))',
           "(assert (= (+ (str.len s) (str.len t)) 7))"]
CIRCLE = ["(declare-const x Real) (declare-const y Real)",
          "(assert (and (= (+ (* x x) (* y y)) 2.0) (= (* x y) 1.5)))"]

PROBLEMS = {
    "pigeons": (pigeons(8), "unsat"),
    "queens": (queens(14), "sat"),
    "factors": (product(40961 * 57349, 32), "sat"),
    "a prime": (product(1048573, 28), "unsat"),
    "stores": (stores(7), "unsat"),
    "group": (GROUP, "unsat"),
    "strings": (STRINGS, "sat"),
    "circle": (CIRCLE, "unsat"),
}
THREADS = "(set-option :parallel.enable true) (set-option :parallel.threads.max 2)"


def run(run):
    results = {}
    for name, (lines, answer) in PROBLEMS.items():
        script = "\n".join(["(set-option :model_validate true)", *lines, "(check-sat)"])
        results[name] = run.text("z3", "-smt2", "-in", stdin=script.encode()).strip()
        if results[name] != answer:
            raise Failure(f"{name}: z3 answers {results[name]!r}, not {answer!r}")
    threads = "\n".join([THREADS, *pigeons(6), "(check-sat-using psmt)"])
    results["threads"] = run.text("z3", "-smt2", "-in", stdin=threads.encode())
    return results
