"""The public modules: data, model, tokenizer, optimizers, schedules."""
