"""How the shipped entailment model is made; ``rac train-entailment`` runs ``build``. See docs/entailment.md."""
