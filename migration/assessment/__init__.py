"""Whether and how a system moves: questionnaire and facts to risk, strategy, sizing, blockers."""
