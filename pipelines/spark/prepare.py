#!/usr/bin/env python3
"""prepare.py - what prepare.sh runs: our programs do the work on whole shards, Spark brings bytes to them

The staged run of dsdedup; tools/dedup/exchange.h has its steps. A task runs a program over one shard or one
partition, and what comes out is frames, each with the partition or shard it goes to. Spark shuffles them as
opaque bytes, and repeats and doubles tasks as it likes: a task depends on nothing but its inputs, writes under a
name of its own and renames. The driver holds a line a shard.
"""
import argparse
import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

HEAD, HEAD_BYTES = "<8sIIQQQ", 40  # of a frame: magic, kind, 0, to, bytes, hash
ASKS, CHANGED = 6, 11  # kinds of frames, of tools/dedup/frames.h
ATTEMPTS = 4
ROW_BYTES, PARTITION_BYTES, BANDS = 32, 256 << 20, 32  # memory of a step of a partition; bands at most, about


class Bad(Exception):
    """A shard that another attempt would not help: how its program ended, and what it said."""

    def __init__(self, rc, text):
        super().__init__(text)
        self.rc = rc


def with_parent():
    """A program does not outlive the task that started it, however that ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def run(cfg, words, feed=None, cwd=None, to=os.devnull):
    """Runs a program of ours, with feed as its stdin and `to` as its stdout. Bad where it refuses its input or this
    is the last attempt; what else goes wrong is an error, after which the task is tried again."""
    path = os.path.join(cfg["bin"], words[0])
    cwd = cwd or (cfg["cwd"] if os.path.isdir(cfg["cwd"]) else None)
    with tempfile.TemporaryFile() as err, open(to, "wb") as out, subprocess.Popen(
            [path if os.path.exists(path) else words[0]] + words[1:], cwd=cwd, stdout=out, stderr=err,
            stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE, preexec_fn=with_parent) as child:
        try:
            for blob in feed or ():
                child.stdin.write(blob)
            if child.stdin:
                child.stdin.close()
        except BrokenPipeError:
            pass  # it ended early, and has said why
        rc = child.wait()
        err.seek(0)
        said = err.read().decode("utf-8", "replace").strip().splitlines()
    if rc == 0:
        return
    text = said[-1] if said else "%s: %s %d" % (words[0], "ended by signal" if rc < 0 else "exit", abs(rc))
    if rc in (1, 2, 3) or cfg.get("last"):
        raise Bad(rc if 0 < rc < 5 else 4, text)
    raise RuntimeError(text)


def shell(command, *words):
    done = subprocess.run(["sh", "-c", command + ' "$@"', "sh", *words], stdin=subprocess.DEVNULL, capture_output=True,
                          preexec_fn=with_parent, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise RuntimeError("%s %s: %s" % (command, words[0], said[-1] if said else "exit %d" % done.returncode))
    return done.stdout.decode("utf-8", "surrogateescape")


class Attempt:
    """A folder for one attempt at a task, and the files of the run as it sees them. What attempts left that are
    dead now is removed by the next one on their machine."""

    def __init__(self, cfg):
        from pyspark import TaskContext
        at = TaskContext.get()
        self.cfg = dict(cfg, last=at is not None and at.attemptNumber() >= ATTEMPTS - 1)
        base = os.environ.get("SPARK_EXECUTOR_DIRS") or os.environ.get("LOCAL_DIRS") or tempfile.gettempdir()
        self.top = os.path.join(re.split("[:,]", base)[0], "dstools-" + cfg["run"])
        os.makedirs(self.top, exist_ok=True)
        for name in os.listdir(self.top):
            if not os.path.exists("/proc/" + name.split("-")[0]):
                shutil.rmtree(os.path.join(self.top, name), ignore_errors=True)
        self.path = tempfile.mkdtemp(prefix="%d-" % os.getpid(), dir=self.top)
        self.key = "%s-%s" % (os.uname().nodename, os.path.basename(self.path))

    def __enter__(self):
        return self

    def __exit__(self, *why):
        shutil.rmtree(self.path, ignore_errors=True)
        try:
            os.rmdir(self.top)
        except OSError:
            pass  # others are at work there

    def run(self, *words, **how):
        run(self.cfg, list(words), **how)

    def file(self, name):
        return os.path.join(self.path, name)

    def get(self, name):
        """A file of the run as a path of this machine."""
        if not self.cfg["fetch"] or os.path.exists(name):
            return name
        path = self.file(os.path.basename(name))
        if not os.path.exists(path):
            shell(self.cfg["fetch"], name, path)
        return path

    def aside(self, name):
        """Where this attempt writes what will be `name`; its ending stays, as it says the format."""
        folder = self.path if self.cfg["store"] else os.path.join(self.cfg["work"], "attempts")
        return os.path.join(folder, self.key + "-" + os.path.basename(name))

    def put(self, path, name):
        """The attempt's file becomes `name`, whole or not at all. Of two attempts the later wins, with the same bytes."""
        if self.cfg["store"] and os.path.isdir(os.path.dirname(name)):
            beside = "%s/.%s-%s" % (os.path.dirname(name), self.key, os.path.basename(name))
            shell(self.cfg["store"], path, beside)
            os.replace(beside, name)
        elif self.cfg["store"]:
            shell(self.cfg["store"], path, name)  # an object is there when all of it has come
        else:
            os.replace(path, name)

    def shard_dir(self, shard):
        """The folder that steps of a shard read and write."""
        folder = self.file("signs")
        os.mkdir(folder)
        os.symlink(self.get(work_file(self.cfg, "sign", shard)), os.path.join(folder, "sign-00000.dsr"))
        return folder


def work_file(cfg, kind, shard):
    return "%s/%s-%05d.dsr" % (cfg["work"], kind, shard)


def counts(attempt, path):
    """Records into the first program and out of the last one."""
    log = attempt.file("log.json")
    attempt.run("dsrec", "log", "--json", path, to=log)
    with open(log, encoding="utf-8") as f:
        stages = json.load(f)["stages"]
    return stages[0]["in"], stages[-1]["out"]


def source(attempt, name):
    """The input as an operand, and the folder where it is that: its records have the name in `source`."""
    cfg = attempt.cfg
    if not cfg["fetch"]:
        return name, None
    top = attempt.file("in")
    path = os.path.join(top, name.lstrip("/"))
    os.makedirs(os.path.dirname(path))
    shell(cfg["fetch"], name, path)
    return name.lstrip("/"), top


def clean_and_sign(cfg, shard, name):
    """Gives what the driver has to know of a shard."""
    stamp = work_file(cfg, "clean", shard)[:-3] + "json"
    st = os.stat(os.path.join(cfg["cwd"], name)) if not cfg["fetch"] else None
    of = [cfg["options"], name, st.st_size, st.st_mtime_ns] if st else None
    try:
        with open(stamp, encoding="utf-8") as f:
            was = json.load(f)
        if of and was["of"] == of:
            return was["found"]
    except (OSError, ValueError):
        pass
    with Attempt(cfg) as a:
        operand, cwd = source(a, name)
        clean, sign, signs = (a.aside(work_file(cfg, kind, shard)) for kind in ("clean", "sign", "signs"))
        a.run("dsclean", "-q", "-j", cfg["jobs"], *cfg["clean"], "-o", clean, "--", operand, cwd=cwd)
        a.run("dsdedup", "sign", "-q", "-j", cfg["jobs"], *cfg["dedup"], clean, "-o", signs)
        os.replace(os.path.join(signs, "sign-00000.dsr"), sign)
        n_in, n_clean = counts(a, clean)
        found = {"shard": shard, "in": n_in, "clean": n_clean}
        a.put(sign, work_file(cfg, "sign", shard))
        a.put(clean, work_file(cfg, "clean", shard))
        if of:
            note = a.aside(stamp)
            with open(note, "w", encoding="utf-8") as f:
                json.dump({"of": of, "found": found}, f)
            a.put(note, stamp)
        return found


def clean_task(cfg):
    def task(_, shards):
        for shard, name in shards:
            try:
                yield clean_and_sign(cfg, shard, name)
            except Bad as e:
                yield {"shard": shard, "rc": e.rc, "error": str(e)}
    return task


def frames(path, parts):
    """(to, frame) of each; what says that something changed goes to a partition of its own."""
    with open(path, "rb") as f:
        while head := f.read(HEAD_BYTES):
            _, kind, _, to, size, _ = struct.unpack(HEAD, head)
            yield parts if kind == CHANGED else to, head + f.read(size)


def kind_of(frame):
    return struct.unpack_from(HEAD, frame)[1]


def step_task(cfg, step, of_shard, parts, only=None):
    """A step of dsdedup exchange over every shard or partition: frames in, frames out."""
    def task(index, pieces):
        if of_shard and index not in cfg["good"]:
            return
        with Attempt(cfg) as a:
            out = a.file("frames")
            where = ["--shard", str(index), a.shard_dir(index)] if of_shard else []
            feed = (frame for _, frame in pieces if only is None or kind_of(frame) == only)
            a.run("dsdedup", "exchange", step, "--parts", str(parts), *where, "-", "-o", "-", feed=feed, to=out)
            yield from frames(out, parts)
    return task


def finish_shard(cfg, step, shard, pieces):
    with Attempt(cfg) as a:
        folder, clean = a.shard_dir(shard), a.get(work_file(cfg, "clean", shard))
        out = a.aside(part_name(cfg, shard))
        a.run("dsdedup", "exchange", step, "--shard", str(shard), folder, "-", feed=(frame for _, frame in pieces))
        a.run("dsdedup", "filter", "-q", "-j", cfg["jobs"], folder, clean, "-o", out)
        kept = counts(a, out)[1]
        if cfg["tok"] is not None:
            text, out = out, a.aside(work_file(cfg, "tokens", shard))
            a.run("dstok", "-q", "-j", cfg["jobs"], *cfg["tok"], text, "-o", out)
            os.remove(text)
        a.put(out, part_name(cfg, shard))
        return {"shard": shard, "out": kept}


def finish_task(cfg, step):
    def task(shard, pieces):
        if shard not in cfg["good"]:
            return
        try:
            yield finish_shard(cfg, step, shard, pieces)
        except Bad as e:
            yield {"shard": shard, "rc": e.rc, "error": str(e)}
    return task


def part_name(cfg, shard):
    return "%s/part-%05d.dsr" % (cfg["out"], shard)


def dedup(sc, cfg, parts):
    """What becomes of every shard: frames from partitions to shards and back, as exchange.h has it."""
    n = cfg["n"]

    def step(rdd, name, of_shard, to, only=None):
        task = step_task(cfg, name, of_shard, parts, only)
        return rdd.mapPartitionsWithIndex(task).partitionBy(to, int)

    shards = sc.parallelize([], n)
    texts = step(shards, "texts", True, parts)
    sames = step(texts, "meet", False, n)
    keys = step(sames, "bands", True, parts)
    met = step(keys, "meet", False, n)
    told = met.mapPartitionsWithIndex(step_task(cfg, "tell", True, parts, ASKS))
    known = sc.union([sames, met.filter(lambda piece: kind_of(piece[1]) != ASKS), told]).partitionBy(n, int)
    if not cfg["clusters"]:
        return known.mapPartitionsWithIndex(finish_task(cfg, "confirm")).collect()
    edges = step(known, "confirm", True, parts + 1)
    changed = True
    while changed:
        large = step(edges, "large", False, parts + 1)
        edges = step(large, "small", False, parts + 1)
        # The last partition has only what says that something changed.
        changed = any(sc.runJob(rdd, lambda pieces: [any(True for _ in pieces)], [parts])[0] for rdd in (edges, large))
    members = step(edges, "members", False, n)
    values = step(members, "values", True, parts)
    verdicts = step(values, "choose", False, n)
    return verdicts.mapPartitionsWithIndex(finish_task(cfg, "settle")).collect()


def say(text):
    os.write(3, ("prepare.sh: %s\n" % text).encode("utf-8", "surrogateescape"))


def stop(rc, text):
    say(text)
    sys.exit(rc)


def list_shards(args):
    if os.path.isdir(args.input):
        names = []
        for folder, below, files in os.walk(args.input):
            below[:] = [d for d in below if not d.startswith(".")]
            names += [os.path.join(folder, f) for f in files if f[0] not in "._"]
    elif args.list:
        try:
            lines = [line.split() for line in shell(args.list, args.input).splitlines()]
        except RuntimeError as e:
            stop(4, str(e))
        words = [line[-1] for line in lines if line and not line[-1].endswith("/")]
        top = args.input.rstrip("/") + "/"
        names = [w if w.startswith(top) else top + w.rsplit("/", 1)[-1] for w in words]
        names = [w for w in names if w.rsplit("/", 1)[-1][0] not in "._"]
    else:
        stop(4, "%s: no such folder%s" % (args.input, "; --list CMD names what is there" if args.fetch else ""))
    if not names:
        stop(1, "%s: no shards" % args.input)
    return sorted(names, key=os.fsencode)


def check_options(cfg):
    """What our programs do not understand is told before anything begins."""
    with tempfile.TemporaryDirectory() as d:
        empty, clean = os.path.join(d, "empty.jsonl"), os.path.join(d, "clean.dsr")
        open(empty, "w", encoding="utf-8").close()
        tries = [["dsclean", "-q", *cfg["clean"], empty, "-o", clean], ["dsrec", "import", "-q", empty, "-o", clean],
                 ["dsdedup", "sign", "-q", *cfg["dedup"], clean, "-o", os.path.join(d, "signs")]]
        if cfg["tok"] is not None:
            tries.append(["dstok", "-q", *cfg["tok"], clean, "-o", os.path.join(d, "tok.dsr")])
        for words in tries:
            try:
                run(dict(cfg, last=True), words)
            except Bad as e:
                if e.rc == 2:
                    stop(2, str(e))


def prepare_out(cfg, resume):
    """OUT_DIR is new, or of this very run."""
    work, note = cfg["work"], os.path.join(cfg["work"], "options.json")
    if os.path.isdir(cfg["out"]):
        there = [f for f in os.listdir(cfg["out"]) if not f.startswith(".")]
        if os.path.exists(os.path.join(cfg["out"], "shards.tsv")) or (there and not os.path.isdir(work)):
            stop(2, "%s: is not empty" % cfg["out"])
    if not resume:
        if "://" not in work:
            os.makedirs(os.path.join(work), exist_ok=True)
        return
    if os.path.exists(note):
        with open(note, encoding="utf-8") as f:
            if json.load(f) != cfg["options"]:
                stop(2, "%s: of a run with other options; remove it to begin anew" % work)
    shutil.rmtree(os.path.join(work, "attempts"), ignore_errors=True)
    os.makedirs(os.path.join(work, "attempts"), exist_ok=True)
    with open(note, "w", encoding="utf-8") as f:
        json.dump(cfg["options"], f)


def write_table(cfg, names, results):
    """shards.tsv, what became of each shard."""
    with Attempt(cfg) as a:
        path = a.aside("shards.tsv")
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write("shard\tinput\trecords\tclean\tstay\terror\n")
            for shard, name in enumerate(names):
                r = results[shard]
                f.write("\t".join(str(x) for x in (shard, name, r.get("in", ""), r.get("clean", ""), r.get("out", ""),
                                                   r.get("error", "").replace("\t", " "))) + "\n")
        a.put(path, os.path.join(cfg["out"], "shards.tsv"))


def sweep(path):
    """An attempt that was called off may still be at work for a moment."""
    for _ in range(50):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.exists(path):
            return
        time.sleep(0.1)


def spark_context(args):
    from pyspark import SparkConf, SparkContext
    master = args.master
    if re.fullmatch(r"local(\[[^],]*\])?", master):  # which would not try a task again
        cores = master[6:-1] if "[" in master else "1"
        master = "local[%s,%d]" % (cores, ATTEMPTS)
    if master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    conf = SparkConf().setMaster(master).setAppName("dstools prepare")
    for pair in ["spark.ui.enabled=false", "spark.speculation=true", "spark.task.maxFailures=%d" % ATTEMPTS,
                 "spark.log.level=ERROR", "spark.python.worker.faulthandler.enabled=false", *args.conf]:
        if "=" not in pair:
            stop(2, "--conf '%s': wanted KEY=VALUE" % pair)
        conf.set(*pair.split("=", 1))
    return SparkContext(conf=conf)


def process(sc, cfg, args, names):
    """All stages; the result of each shard."""
    n = len(names)
    begun = time.time()
    rdd = sc.parallelize(list(enumerate(names)), n)
    results = {r["shard"]: r for r in rdd.mapPartitionsWithIndex(clean_task(cfg)).collect()}
    good = {s for s, r in results.items() if "error" not in r}
    cfg["good"], cfg["n"] = good, n
    rows = sum(results[s]["clean"] for s in good) * BANDS
    parts = args.partitions or max(sc.defaultParallelism, rows * ROW_BYTES // PARTITION_BYTES + 1)
    if not args.quiet:
        say("%d of %d shards cleaned and signed in %.0f s, %d records; now %d partitions of keys" %
            (len(good), n, time.time() - begun, sum(results[s]["clean"] for s in good), parts))
    for r in dedup(sc, cfg, parts) if good else []:
        results[r["shard"]].update(r)
    return results


def parse():
    p = argparse.ArgumentParser(prog="prepare.sh", add_help=False, allow_abbrev=False)
    p.error = lambda text: stop(2, text)
    p.add_argument("--master", default="local[*]")
    for name in ("--clean", "--dedup", "--tok", "--fetch", "--store", "--list"):
        p.add_argument(name)
    p.add_argument("--partitions", type=int, default=0)
    p.add_argument("--conf", action="append", default=[])
    p.add_argument("-q", dest="quiet", action="store_true")
    p.add_argument("input", metavar="IN_DIR")
    p.add_argument("out", metavar="OUT_DIR")
    words = sys.argv[1:]
    # An option's value may begin with a dash, as those do that are options themselves.
    for i, word in enumerate(words[:-1]):
        if word in ("--clean", "--dedup", "--tok"):
            words[i:i + 2] = [word + "=" + words[i + 1], None]
    args = p.parse_args([w for w in words if w is not None])
    if args.partitions < 0:
        stop(2, "--partitions %d: wanted at least 1" % args.partitions)
    return args


def configure(args):
    out = args.out.rstrip("/") if "://" in args.out else os.path.abspath(args.out)
    try:
        options = {name: shlex.split(getattr(args, name) or "") for name in ("clean", "dedup", "tok")}
    except ValueError as e:
        stop(2, "an option: %s" % e)
    if args.tok is None:
        options["tok"] = None
    keep = [b for a, b in zip(options["dedup"], options["dedup"][1:]) if a == "--keep"] + [
        w[7:] for w in options["dedup"] if w.startswith("--keep=")]
    task_cpus = [c.split("=", 1)[1] for c in args.conf if c.startswith("spark.task.cpus=")]
    return {"bin": os.environ["DS_BIN"], "cwd": os.getcwd(), "out": out, "work": out + "/.work", "options": options, **options,
            "fetch": args.fetch, "store": args.store, "jobs": task_cpus[-1] if task_cpus else "1",
            "clusters": bool(keep) and keep[-1] != "first", "run": "%d-%d" % (os.getpid(), time.time_ns())}


def cause(e):
    """What a task said last, out of all that Spark says about it."""
    said = re.findall(r"^(?:[\w.]*\.)?(?:\w*Error|Bad): (.+)$", str(e), re.M)
    return said[-1] if said else str(e).strip().splitlines()[0]


def main():
    args = parse()
    cfg = configure(args)
    if bool(args.fetch) != bool(args.store) and "://" in args.input + args.out:
        stop(2, "--fetch and --store go together where work files are no mounted path")
    names = list_shards(args)
    check_options(cfg)
    prepare_out(cfg, not args.store)
    begun = time.time()
    sc = spark_context(args)
    app = sc.applicationId
    try:
        results = process(sc, cfg, args, names)
    except Exception as e:  # of whatever kind: Spark's own, or one of a task that was tried often enough
        print(e, file=sys.stderr)
        stop(4, "a task failed again and again: %s" % cause(e))
    finally:
        sc.stop()
        shutil.rmtree(os.path.join(os.environ.get("SPARK_HOME", "/none"), "work", app), ignore_errors=True)
    write_table(cfg, names, results)
    if "://" not in cfg["work"]:
        sweep(cfg["work"])
    bad = [s for s in sorted(results) if "error" in results[s]]
    for s in bad:
        say("%s: left out: %s" % (names[s], results[s]["error"]))
    if not args.quiet:
        say("%d of %d shards, %d records, %d stay, %.0f s" % (
            len(names) - len(bad), len(names), sum(r.get("in", 0) for r in results.values()),
            sum(r.get("out", 0) for r in results.values()), time.time() - begun))
    sys.exit(results[bad[0]]["rc"] if bad else 0)


if __name__ == "__main__":
    main()
