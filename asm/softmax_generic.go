package asm

func softmaxGeneric(x []float32, scale float32) (max, sum float32) {
	max = x[0]
	for _, v := range x {
		if v > max {
			max = v
		}
	}
	var lanes [Lanes]float32
	for i, v := range x {
		e := exp(v - max)
		x[i] = e
		lanes[i%Lanes] += e
	}
	sum = joinLanes(&lanes)
	scaleGeneric(x, scale/sum)
	return max, sum
}
