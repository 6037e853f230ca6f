"""The training loop. Everything that happens is here, and yours to change.

It trains a small GPT to predict the next byte of Shakespeare. The first
step runs op by op and is recorded; from then on `step()` replays the
recording in a single call, with the same numbers.
"""

import tinygpt
from tinygpt import GPT, loop, optim, schedule
from tinygpt.data import Dataset, find_corpus
from tinygpt.tokenizer import ByteTokenizer


def train(run):
    # The model's shape; steps, learning rate and so on.
    shape, config = run.settings(preset="small")
    tinygpt.manual_seed(config.seed)

    # 256 tokens, one for each byte; 90 % of the text trains, 10 % validates.
    tokenizer = ByteTokenizer()
    text = find_corpus(config.corpus)
    data = run.keep("data", lambda: Dataset(text, tokenizer, shape.context))

    model = run.keep("model", lambda: GPT(shape))
    optimizer = run.keep(
        "optimizer",
        lambda: optim.AdamW(
            model.parameter_groups(config.weight_decay),
            lr=config.lr,
            betas=(config.beta1, config.beta2),
            eps=config.eps,
        ),
    )

    @tinygpt.compile
    def step():
        # x, y: [batch, context]; y is x moved on by one byte.
        x, y = data.batch(config.batch_size)
        logits, loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        max_norm = config.grad_clip or float("inf")
        norm = tinygpt.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        return loss, norm

    run.start(model, config)
    for i in run.steps(config.steps):
        if run.due(config.eval_interval):
            run.evaluate(model, data, config)
        lr = schedule.apply(optimizer, i, config)
        loss, norm = step()
        run.log(loss, lr=lr, grad_norm=norm, program=step)
        if run.due(config.sample_interval):
            run.sample(model, tokenizer, config)


if __name__ == "__main__":
    loop.run(train)
