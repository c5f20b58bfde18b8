package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"migrate/pkg/checkpoint"
	"migrate/pkg/salesforce"
)

// bounds keep runs that are started by a clock from running into one another.
type bounds struct {
	lock bool          // no other run with it works in the state folder
	most time.Duration // after which a run takes nothing new; 0 = no bound
}

func (b *bounds) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&b.lock, "lock", false, "work only while no other run with --lock does in the same state folder (exit code 8)")
	cmd.Flags().DurationVar(&b.most, "max-duration", 0, "take nothing new after this time, see through what is in flight, and stop to be resumed (exit code 7); 0 = no bound")
}

// errDuration says that a run has stopped at its time.
var errDuration = errors.New("the time of the run is over")

// spent asks whether the run must stop, for its time or for the reserve of API calls. nil when there is no bound.
func (b bounds) spent(r reserve, client *salesforce.Client) func() error {
	kept := r.spent(client)
	if b.most <= 0 {
		return kept
	}
	end := time.Now().Add(b.most)
	return func() error {
		if time.Now().After(end) {
			return fmt.Errorf("%w: --max-duration %s; go on with resume", errDuration, b.most)
		}
		if kept != nil {
			return kept()
		}
		return nil
	}
}

// locksDirName is the folder of the lock in a state folder.
const locksDirName = "lock"

// hold takes the lock of the state folder, if that is wanted. Release it with the function.
func (b bounds) hold(state, command string) (release func(), err error) {
	if !b.lock {
		return func() {}, nil
	}
	dir := filepath.Join(state, locksDirName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--lock: %w", err)
	}
	l, err := checkpoint.Acquire(dir, command)
	var held *checkpoint.LockedError
	if errors.As(err, &held) && !held.Elsewhere {
		return nil, fmt.Errorf("--lock: %s works in %s: %w", held.Holder, state, err)
	}
	if err != nil {
		return nil, fmt.Errorf("--lock: %w", err)
	}
	return func() { l.Release() }, nil
}
