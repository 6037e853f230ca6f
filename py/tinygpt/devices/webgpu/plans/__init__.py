"""The plans of the contract's kernels, by family: how each launch becomes dispatches of shaders/.

Importing this package imports every module of it, and each registers its plans
(`dispatch_plan.kernel`).
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module("%s.%s" % (__name__, _module.name))
