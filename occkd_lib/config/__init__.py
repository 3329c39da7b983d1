"""Recipes: what an experiment is, read from YAML and checked before anything starts."""

from occkd_lib.config.arms import arm_name, parse_arm
from occkd_lib.config.experiment import Ablation, Experiment
from occkd_lib.config.load import builtin_recipes, load_recipe, recipe_file
from occkd_lib.config.merge import merge
from occkd_lib.config.recipe import Recipe

__all__ = [
    "Ablation",
    "Experiment",
    "Recipe",
    "arm_name",
    "builtin_recipes",
    "load_recipe",
    "merge",
    "parse_arm",
    "recipe_file",
]
