package loop

func newBackend(o Options) backend {
	if o.Portable {
		return newPortable(o)
	}
	return newEpoll(o)
}
