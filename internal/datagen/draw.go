package datagen

import (
	"math/bits"
	"math/rand/v2"
)

// A draw is a stream of seeded choices. Its bounds are computed here and not by math/rand, whose way of doing so may
// change; the generator itself (PCG-DXSM) is fixed.
type draw struct{ pcg *rand.PCG }

// newDraw returns the stream number n of a seed. Streams do not disturb each other: a column added to one file leaves
// the others as they were.
func newDraw(seed, stream uint64) draw { return draw{rand.NewPCG(seed, stream)} }

// below returns a number from 0 to n-1.
func (d draw) below(n int) int {
	high, _ := bits.Mul64(d.pcg.Uint64(), uint64(n))
	return int(high)
}

// between returns a number from low to high, both included.
func (d draw) between(low, high int) int { return low + d.below(high-low+1) }

// percent is true in p of 100 cases.
func (d draw) percent(p int) bool { return d.below(100) < p }

func pick[T any](d draw, list []T) T { return list[d.below(len(list))] }
