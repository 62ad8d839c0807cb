"""OpenMMLab configs as values: bases followed, overrides applied, literals evaluated, nothing executed."""
