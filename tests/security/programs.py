"""Harmful programs: what a user may run in the page by mistake or because a link said so.

`PROGRAMS` has them: (name, source, end). end says what must come of one within SECONDS:

  "ends"      the run ends by itself, well or with an error's sentence, and the same Python works on
  "stops"     it runs on until Stop is pressed, which ends it; the same Python works on
  "restarts"  Python is gone: the page says so and there is a new one, or it ends when the button
              that the page then offers (Restart Python) is pressed
  "any"       one of these, by the browser and the machine

Those that leave the interpreter as it was come first. DIRTY has the others: a test starts Python
anew before it goes on.
"""

SECONDS = 5  # from the harm, or from Stop, until the page says what happened and works

DEATHS = [
    ("os._exit", "import os\nos._exit(0)"),
    ("os._exit with 1", "import os\nos._exit(1)"),
    ("abort", "import os\nos.abort()"),
    ("kill oneself", "import os\nos.kill(os.getpid(), 9)"),
    ("the worker closes itself", "import js\njs.self.close()\nwhile True: pass"),
    ("a null pointer", "import ctypes\nctypes.string_at(1 << 31, 1 << 30)"),
    ("memory overwritten", "import ctypes\nctypes.memset(id(None) - 4096, 255, 1 << 16)\nprint(None, [], {})"),
    ("faulthandler's crash", "import faulthandler\nfaulthandler._sigsegv()"),
    (
        "no limit of recursion",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1) + 1\nf(0)",
    ),
    ("a fatal error of Pyodide", "import pyodide_js\npyodide_js._api.fatal_error(ValueError('hostile'))"),
]

ENDS = [
    ("sys.exit", "import sys\nsys.exit('bye')"),
    ("SystemExit", "raise SystemExit(3)"),
    ("KeyboardInterrupt", "raise KeyboardInterrupt"),
    ("GeneratorExit", "raise GeneratorExit"),
    ("BaseException", "raise BaseException('hostile')"),
    ("an exception without words", "class E(Exception):\n def __str__(self): raise self\nraise E"),
    ("an exception that exits", "class E(Exception):\n def __str__(self): raise SystemExit\n __repr__ = __str__\nraise E"),
    ("an exception of a long message", "raise ValueError('x' * 20_000_000)"),
    ("an exception of markup", "raise ValueError('<img src=x onerror=window.hostile=1>')"),
    ("recursion of del", "class A:\n def __del__(self): A()\nx = [A() for _ in range(9)]\nA.__del__ = lambda self: None"),
    ("del that raises", "class A:\n def __del__(self): raise SystemExit\nA()\nprint('after')"),
    ("a list of itself as the result", "a = []\na.append(a)\na"),
    ("a result that has no text", "class A:\n def __repr__(self): raise SystemExit\nA()"),
    ("a result of a million numbers", "list(range(1_000_000))"),
    ("lone surrogates printed", "print('\\ud800' * 1000, '\\0\\x1b[2J\\u202e')"),
    ("a string past memory", "x = 'x' * 10**10"),
    ("a tensor past memory", "import tinygpt\ntinygpt.ones(10**6, 10**6)"),
    ("a shape past integers", "import tinygpt\ntinygpt.empty(1 << 62, 1 << 62)"),
    ("a thread", "import threading\nthreading.Thread(target=print).start()"),
    ("a process", "import subprocess\nsubprocess.run(['ls'])"),
    ("a fork", "import os\nos.fork()"),
    ("a shell", "import os\nos.system('ls')"),
    ("a socket", "import socket\nsocket.create_connection(('127.0.0.1', 1), 1)"),
    ("a page's DOM", "import js\njs.document.body.innerHTML = ''"),
    ("an error of JavaScript", "import js\njs.eval('throw 1')"),
    ("a rejected promise that nobody awaits", "import js\njs.Promise.reject(1)\n1"),
    ("a loop of async code that ended", "import asyncio\nasyncio.get_event_loop().stop()\n1"),
    ("a task that raises later", "import asyncio\nasync def f(): raise SystemExit\nasyncio.ensure_future(f())\n1"),
    ("no garbage collection", "import gc\ngc.disable()\nfor _ in range(10**5): a = []; a.append(a)\ngc.enable()"),
    ("a learning rate that is no number", "import tinygpt\ntinygpt.optim.SGD([tinygpt.ones(1)], lr=float('nan'))"),
    ("a checkpoint of JSON", "import tinygpt\ntinygpt.checkpoint.loads(b'\\xff' * 7 + b'\\0' + b'[' * 10**6)"),
    ("messages for the page", "import js\nfor x in (None, 1, 'x', js.Object.new()): js.self.postMessage(x)"),
    (
        "messages like those of the worker",
        "import js\nfor text in ('{\"type\": \"failed\"}', '{\"type\": \"output\", \"records\": 1}',"
        " '{\"type\": \"bytes\", \"id\": 1}', '{\"type\": \"done\", \"id\": 999999}', '{\"type\": \"__proto__\"}'):\n"
        " js.self.postMessage(js.JSON.parse(text))",
    ),
    ("fetches of the server", "import js\nfor i in range(300): js.fetch('/nothing/%d' % i)"),
    ("a fetch of a file", "import js\nawait js.fetch('file:///etc/passwd')"),
    ("an import of a name like a path", "__import__('../../../etc/passwd')"),
    ("a package that is none", "import micropip\nawait micropip.install('../../../etc/passwd')"),
    ("devices one after another", "import tinygpt\nfor _ in range(200): tinygpt.set_default_device('nothing')"),
    ("a namespace without names", "globals().clear()"),
    ("warnings", "import warnings\nwarnings.simplefilter('always')\nfor i in range(5000): warnings.warn('w' * 100)"),
    ("environment without names", "import os\nos.environ.clear()"),
    ("a limit of digits", "import sys\nint('1' * 5000)"),
]  # fmt: skip

STOPS = [
    ("an endless loop", "while True: pass"),
    ("an endless print", "while True: print('x' * 100)"),
    ("an endless print of errors", "import sys\nwhile True: print('x' * 1000, file=sys.stderr)"),
    ("an endless sleep", "import time\ntime.sleep(10**6)"),
    ("an endless await", "import asyncio\nwhile True: await asyncio.sleep(0)"),
    ("an endless pattern", "import re\nre.match('(a+)+$', 'a' * 60 + 'b')"),
    ("an endless sort", "class A:\n def __lt__(self, other):\n  while True: pass\nsorted([A(), A()])"),
    ("an endless generator", "def f():\n while True: yield 1\nfor _ in f(): pass"),
    ("an endless run", "import tinygpt\nfrom tinygpt import loop\ndef train(run):\n while True: pass\nloop.run(train)"),
    ("an endless import", "import sys, importlib\nwhile True: importlib.reload(sys.modules['json'])"),
    ("endless exceptions", "while True:\n try: raise ValueError\n except ValueError: pass"),
]

# Deep recursion and the end of memory are an error's sentence or the end of Python, by where they
# strike; long calls in C end when Python is restarted, or by themselves.
EITHER = [
    ("an endless loop in JavaScript", "import js\njs.eval('for (;;);')"),  # content security may refuse eval
    ("a number too long to compute", "x = 10 ** 10 ** 8"),
    (
        "a chain of 5,000 exceptions",
        "def f(n):\n e = ValueError(n)\n for i in range(5000):\n  n = ValueError(i); n.__cause__ = e; e = n\n raise e\nf(0)",
    ),
    ("a group in a group", "e = ValueError()\nfor _ in range(2000): e = ExceptionGroup('g', [e])\nraise e"),
    ("recursion", "def f(): f()\nf()"),
    ("recursion of repr", "class A:\n def __repr__(self): return repr(self)\nprint(A())"),
    ("recursion of ==", "class A:\n def __eq__(self, other): return self == other\nA() == A()"),
    ("recursion of attributes", "class A:\n def __getattr__(self, name): return getattr(self, name)\nA().x"),
    ("repr of deep lists", "a = []\nfor _ in range(100_000): a = [a]\nrepr(a)"),
    ("deep tuples freed", "a = None\nfor _ in range(500_000): a = (a,)\ndel a"),
    ("== of deep lists", "a = []; b = []\nfor _ in range(50_000): a = [a]; b = [b]\na == b"),
    ("deep JSON", "import json\njson.loads('[' * 100_000)"),
    ("JSON of deep lists", "import json\na = []\nfor _ in range(50_000): a = [a]\njson.dumps(a)"),
    ("a deep copy", "import copy\na = []\nfor _ in range(50_000): a = [a]\ncopy.deepcopy(a)"),
    ("a deep pickle", "import pickle\na = []\nfor _ in range(50_000): a = [a]\npickle.dumps(a)"),
    ("one long line printed", "print('x' * 30_000_000)"),
    ("a text of 1 GB printed", "print('x' * 10**9)"),
    ("many lines printed", "for i in range(50_000): print(i)"),
    ("bytes until memory ends", "kept = []\nwhile True: kept.append(bytearray(1 << 27))"),
    ("tensors until memory ends", "import tinygpt\nkept = []\nwhile True: kept.append(tinygpt.empty(1 << 28))"),
    ("recursion of JavaScript", "import js\njs.eval('(function f() { f() })()')"),
    ("a parse of deep brackets", "eval('(' * 10_000)"),
    ("gzip", "import gzip, zlib\ngzip.decompress(gzip.compress(bytes(1 << 26)))"),
    ("an endless sum", "import itertools\nsum(itertools.count())"),
    ("an endless wait for input", "while True:\n try: input()\n except Exception: pass"),
]  # fmt: skip

# The interpreter is another one afterwards.
DIRTY = [
    ("a Stop that is caught", "while True:\n try:\n  while True: pass\n except BaseException: pass", "restarts"),
    ("a Stop that is ignored", "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", "any"),
    ("print is None", "import builtins\nbuiltins.print = None", "any"),
    ("import is None", "import builtins\nbuiltins.__import__ = None", "any"),
    ("len lies", "import builtins\nbuiltins.len = lambda x: 10**9", "any"),
    ("isinstance lies", "import builtins\nbuiltins.isinstance = lambda *a: True", "any"),
    ("no exceptions", "import builtins\ndel builtins.Exception, builtins.BaseException", "any"),
    ("no builtins", "import builtins\nbuiltins.__dict__.clear()", "any"),
    ("no modules", "import sys\nsys.modules.clear()", "any"),
    ("no json", "import json\njson.dumps = json.loads = None", "any"),
    ("no output", "import sys\nsys.stdout = sys.stderr = None", "any"),
    ("closed output", "import sys\nsys.stdout.close()\nsys.stderr.close()", "any"),
    ("output that raises", "import sys\nclass O:\n def write(self, text): raise SystemExit\nsys.stdout = sys.stderr = O()", "any"),
    ("a trace that raises", "import sys\ndef f(*a): raise SystemExit\nsys.settrace(f)\nsys.setprofile(f)", "any"),
    ("a session without functions", "import sys\nfor name, m in list(sys.modules.items()):\n if name.startswith('tinygpt_session'):\n  for key in list(vars(m)): setattr(m, key, None)", "any"),
    ("tinygpt without functions", "import sys\nfor name, m in list(sys.modules.items()):\n if name.startswith('tinygpt.'):\n  for key in list(vars(m)): setattr(m, key, None)", "any"),
    ("no files", "import shutil\nshutil.rmtree('/', ignore_errors=True)", "any"),
    ("no path", "import sys\nsys.path.clear()\nsys.meta_path.clear()\nsys.path_hooks.clear()", "any"),
    ("no JavaScript", "import js\njs.JSON = js.Promise = js.Object = js.Atomics = js.Int32Array = None", "any"),
    ("no messages", "import js\njs.self.postMessage = None\njs.self.onmessage = None", "any"),
    ("a file system that is full", "with open('/tmp/x', 'wb') as f:\n while True: f.write(bytes(1 << 26))", "any"),
    ("a closed loop of async code", "import asyncio\nasyncio.get_event_loop().close()\nasyncio.set_event_loop(None)", "any"),
    ("a task that never yields", "import asyncio\nasync def f():\n while True: pass\nasyncio.ensure_future(f())", "any"),
    ("a task that prints for ever", "import asyncio\nasync def f():\n while True: print('x'); await asyncio.sleep(0)\nasyncio.ensure_future(f())", "any"),
    ("an exit of atexit", "import atexit, os\natexit.register(os._exit, 3)", "any"),
    ("a hook that exits", "import sys, os\nsys.excepthook = sys.displayhook = lambda *a: os._exit(3)\n1 / 0", "any"),
    ("an end in the middle of a run", "import os\nfrom tinygpt import loop\ndef train(run):\n for step in run.steps(9):\n  run.log(1.0)\n  if step == 5: os._exit(0)\nloop.run(train)", "restarts"),
]  # fmt: skip

PROGRAMS = [
    *((name, source, "ends") for name, source in ENDS),
    *((name, source, "stops") for name, source in STOPS),
    *((name, source, "any") for name, source in EITHER),
    *((name, source, "restarts") for name, source in DEATHS),
    *DIRTY,
]

# Those of each run of the tests: every one that ends or stops, and some of those that cost a new
# Python, which takes seconds. test_death.py has more of these.
ELSEWHERE = ("os._exit", "abort", "the worker closes itself", "no builtins", "no json")
SOME = [one for one in PROGRAMS if one[2] in ("ends", "stops")]
SOME += [one for one in PROGRAMS if one not in SOME and one[0] not in ELSEWHERE][::4]
