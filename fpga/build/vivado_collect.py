"""stub"""
from codegen.run_folder import RunFolder
from codegen.results import BitstreamResult
from fpga.build.plan import BuildPlan
def collect(plan: BuildPlan, run: RunFolder) -> BitstreamResult:
    raise NotImplementedError
