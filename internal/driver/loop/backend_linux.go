package loop

func newBackend(o Options) backend { return newEpoll(o) }
