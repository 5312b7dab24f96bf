"""stub"""
from codegen.run_folder import RunFolder
from fpga.boards import Board
from fpga.build.plan import BuildPlan
def finn_plan(run: RunFolder, board: Board, impl: str) -> BuildPlan:
    raise NotImplementedError
